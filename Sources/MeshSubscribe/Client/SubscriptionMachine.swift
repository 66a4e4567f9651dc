internal import XDSAPI

/// The types of resources that a proxy subscribes to.
package enum ResourceKind: String, CaseIterable, Hashable, Sendable {
    case clusters = "cds"
    case endpoints = "eds"
    case listeners = "lds"
    case routes = "rds"
    case secrets = "sds"
    case nameTable = "nds"

    package var typeURL: String {
        switch self {
        case .clusters: TypeURL.cluster
        case .endpoints: TypeURL.clusterLoadAssignment
        case .listeners: TypeURL.listener
        case .routes: TypeURL.routeConfiguration
        case .secrets: TypeURL.secret
        case .nameTable: TypeURL.nameTable
        }
    }

    package init?(typeURL: String) {
        guard let kind = Self.allCases.first(where: { $0.typeURL == typeURL }) else { return nil }
        self = kind
    }

    /// Whether resources are asked for by name. Of the others a response lists all that there are.
    var isNamed: Bool {
        switch self {
        case .endpoints, .routes, .secrets: true
        case .clusters, .listeners, .nameTable: false
        }
    }
}

/// What is said on the aggregated stream (state of the world), without the stream itself.
///
/// Versions and nonces: a request answers the response whose nonce it carries; the version in it is the last one that
/// was accepted, so a refusal repeats the old version. After a reconnect versions are kept, nonces are not.
package struct SubscriptionMachine: Sendable {
    package struct Request: Hashable, Sendable {
        package var kind: ResourceKind
        package var version: String
        package var nonce: String
        package var names: [String]
        /// Why the response with this nonce was refused.
        package var error: String?
        /// Whether it is the first on the stream, which says who we are.
        package var carriesNode = false
    }

    package enum OnResponse: Hashable, Sendable {
        /// Take it, then say `responseApplied`.
        case apply(ResourceKind)
        /// A control plane that has just started may know nothing yet. Acknowledge with `responseApplied` and keep
        /// what there is, until the emptiness has lasted (`emptinessLasted`).
        case keepForNow(ResourceKind)
        /// Of a type that was not asked for.
        case ignore
    }

    private struct Subscription {
        /// What was accepted last; empty: nothing.
        var version = ""
        /// Of the last response on this stream.
        var nonce = ""
        var versionOffered = ""
        var names: [String] = []
        /// Whether this stream has a request of this type.
        var isOpen = false
        var responsesOnStream = 0
        var isEmptinessDoubted = false
    }

    private var subscriptions: [ResourceKind: Subscription] = [:]
    package private(set) var isConnected = false

    package init() {}

    package func version(_ kind: ResourceKind) -> String { self.subscriptions[kind]?.version ?? "" }

    /// A stream is open: what to say on it first.
    package mutating func connected() -> [Request] {
        self.isConnected = true
        var requests: [Request] = []
        for kind in [ResourceKind.clusters, .endpoints, .listeners, .routes, .secrets, .nameTable] {
            var subscription = self.subscriptions[kind, default: Subscription()]
            subscription.nonce = ""
            subscription.responsesOnStream = 0
            subscription.isEmptinessDoubted = false
            // No names would ask for all of them: these types wait for what clusters and listeners refer to.
            subscription.isOpen = !kind.isNamed || !subscription.names.isEmpty
            self.subscriptions[kind] = subscription
            if subscription.isOpen { requests.append(self.request(kind)) }
        }
        if !requests.isEmpty { requests[0].carriesNode = true }
        return requests
    }

    package mutating func disconnected() {
        self.isConnected = false
        for kind in ResourceKind.allCases {
            self.subscriptions[kind]?.isOpen = false
            self.subscriptions[kind]?.isEmptinessDoubted = false
        }
    }

    /// A response came: `isEmpty` if it has no resources, `hasResources` if we hold resources of this type.
    package mutating func responseReceived(
        typeURL: String,
        version: String,
        nonce: String,
        isEmpty: Bool,
        hasResources: Bool
    ) -> OnResponse {
        guard let kind = ResourceKind(typeURL: typeURL), var subscription = self.subscriptions[kind],
            subscription.isOpen
        else { return .ignore }
        subscription.nonce = nonce
        subscription.versionOffered = version
        subscription.responsesOnStream += 1
        let isDoubtful = isEmpty && hasResources && !kind.isNamed && subscription.responsesOnStream == 1
        subscription.isEmptinessDoubted = isDoubtful
        self.subscriptions[kind] = subscription
        return isDoubtful ? .keepForNow(kind) : .apply(kind)
    }

    /// The last response was taken; with errors, as far as it was good.
    package mutating func responseApplied(_ kind: ResourceKind, errors: [String]) -> Request {
        var request: Request
        if errors.isEmpty {
            let version = self.subscriptions[kind]?.versionOffered ?? ""
            self.subscriptions[kind]?.version = version
            request = self.request(kind)
        } else {
            request = self.request(kind)
            request.error = errors.joined(separator: "\n")
        }
        return request
    }

    /// Names that are needed now; a request if they are others than before.
    package mutating func namesNeeded(_ names: [String], of kind: ResourceKind) -> Request? {
        guard kind.isNamed, self.subscriptions[kind]?.names ?? [] != names else { return nil }
        var subscription = self.subscriptions[kind, default: Subscription()]
        subscription.names = names
        // The first request of a type with no names would mean all; later ones mean none.
        if self.isConnected, !names.isEmpty { subscription.isOpen = true }
        self.subscriptions[kind] = subscription
        return self.isConnected && subscription.isOpen ? self.request(kind) : nil
    }

    /// Types whose first response on this stream was empty although we hold resources, and no other has come since.
    /// They are taken at their word from now on.
    package mutating func emptinessLasted() -> [ResourceKind] {
        let kinds = ResourceKind.allCases.filter { self.subscriptions[$0]?.isEmptinessDoubted == true }
        for kind in kinds { self.subscriptions[kind]?.isEmptinessDoubted = false }
        return kinds
    }

    private func request(_ kind: ResourceKind) -> Request {
        let subscription = self.subscriptions[kind] ?? Subscription()
        return Request(
            kind: kind,
            version: subscription.version,
            nonce: subscription.nonce,
            names: subscription.names
        )
    }
}
