internal import SwiftProtobuf
package import TrafficEngine
package import XDSAPI

/// Counts of what came from the control plane, by type.
package struct UpdateCounts: Sendable, Hashable {
    package var successes = 0
    package var rejections = 0
    package var version = ""
}

/// What a configuration subscription knows: the conversation, the resources, and what the proxy was last told.
package struct Session: Sendable {
    /// What to do after an event.
    package struct Actions: Sendable {
        package var requests: [SubscriptionMachine.Request] = []
        /// The proxy's new state.
        package var state: ProxyState?
        package var names: NameTableUpdate?
        /// What was refused, for the log.
        package var errors: [String] = []
    }

    private var machine = SubscriptionMachine()
    package internal(set) var builder: StateBuilder
    package private(set) var counts: [ResourceKind: UpdateCounts] = [:]
    var names = NameTable()
    /// Whether a response on this stream has told all names; later ones tell what has changed.
    private var namesAreTold = false
    /// Whether the proxy was given a table, be it empty: until then it does not know what is not in it.
    private var hasGivenNames = false
    private var kindsSeen: Set<ResourceKind> = []
    /// Whether a state was given out.
    package internal(set) var isStarted = false

    /// `workload`: whose proxy it is, where that matters.
    package init(workload: OwnWorkload? = nil) { self.builder = StateBuilder(workload: workload) }

    package var isConnected: Bool { self.machine.isConnected }

    package mutating func connected() -> Actions {
        self.namesAreTold = false
        return Actions(requests: self.machine.connected())
    }

    package mutating func disconnected() { self.machine.disconnected() }

    package mutating func received(_ response: Envoy_Service_Discovery_V3_DiscoveryResponse) -> Actions {
        let kind = ResourceKind(typeURL: response.typeURL)
        switch self.machine.responseReceived(
            typeURL: response.typeURL,
            version: response.versionInfo,
            nonce: response.nonce,
            isEmpty: response.resources.isEmpty,
            hasResources: kind.map(self.hasResources) ?? false
        ) {
        case .ignore: return Actions()
        case .keepForNow(let kind):
            return Actions(requests: [self.machine.responseApplied(kind, errors: [])])
        case .apply(let kind):
            return self.apply(kind, response.resources, version: response.versionInfo)
        }
    }

    /// The control plane has had time enough to say that it meant something else than nothing.
    package mutating func emptinessLasted() -> Actions {
        var actions = Actions()
        for kind in self.machine.emptinessLasted() {
            let more = self.apply(kind, [], version: self.machine.version(kind))
            // It was acknowledged when it came.
            actions.requests += more.requests.filter { $0.kind != kind }
            actions.state = more.state ?? actions.state
            actions.names = more.names ?? actions.names
        }
        return actions
    }

    /// Gives out what there is, complete or not: some resource may never come.
    package mutating func startAnyway() -> ProxyState? {
        guard !self.isStarted, self.kindsSeen.contains(.listeners) else { return nil }
        self.isStarted = true
        return self.builder.makeState()
    }

    private func hasResources(_ kind: ResourceKind) -> Bool {
        let received = self.builder.received
        switch kind {
        case .clusters: return !received.clusters.isEmpty
        case .listeners: return !received.listeners.isEmpty
        case .endpoints: return !received.endpoints.isEmpty
        case .routes: return !received.routes.isEmpty
        case .secrets: return !received.secrets.isEmpty
        case .nameTable: return !self.names.isEmpty
        }
    }

    private mutating func apply(_ kind: ResourceKind, _ resources: [Google_Protobuf_Any], version: String) -> Actions {
        var actions = Actions()
        self.kindsSeen.insert(kind)
        var errors: [String]
        switch kind {
        case .clusters: errors = self.builder.setClusters(resources, version: version).map(\.description)
        case .endpoints: errors = self.builder.setEndpoints(resources, version: version).map(\.description)
        case .listeners: errors = self.builder.setListeners(resources, version: version).map(\.description)
        case .routes: errors = self.builder.setRoutes(resources, version: version).map(\.description)
        case .secrets: errors = self.builder.setSecrets(resources, version: version).map(\.description)
        case .nameTable:
            errors = []
            actions.names = self.setNames(resources, isComplete: !self.namesAreTold, &errors)
            self.namesAreTold = true
        }
        actions.errors = errors
        actions.requests.append(self.machine.responseApplied(kind, errors: errors))
        self.counts[kind, default: UpdateCounts()].version = self.machine.version(kind)
        if errors.isEmpty {
            self.counts[kind, default: UpdateCounts()].successes += 1
        } else {
            self.counts[kind, default: UpdateCounts()].rejections += 1
        }
        guard kind != .nameTable else { return actions }
        actions.requests += self.askForNames()
        let hasAll = self.kindsSeen.isSuperset(of: [.clusters, .listeners]) && self.builder.isComplete
        if self.isStarted || hasAll {
            self.isStarted = true
            actions.state = self.builder.makeState()
        }
        return actions
    }

    /// Requests for what clusters and listeners refer to, where that has changed.
    mutating func askForNames() -> [SubscriptionMachine.Request] {
        [
            self.machine.namesNeeded(self.builder.endpointNames, of: .endpoints),
            self.machine.namesNeeded(self.builder.routeNames, of: .routes),
            self.machine.namesNeeded(self.builder.secretNames, of: .secrets),
        ].compactMap { $0 }
    }

    mutating func setNames(
        _ resources: [Google_Protobuf_Any],
        isComplete: Bool,
        _ errors: inout [String]
    ) -> NameTableUpdate? {
        let update = self.names.take(resources, isComplete: isComplete, &errors)
        guard !update.isEmpty || !self.hasGivenNames && errors.isEmpty else { return nil }
        self.hasGivenNames = true
        return update
    }
}
