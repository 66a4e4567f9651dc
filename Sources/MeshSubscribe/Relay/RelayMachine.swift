package import SwiftProtobuf
package import XDSAPI

/// What goes between an Envoy and its control plane, without the streams: everything passes, except that the
/// workload's own secrets are answered here and the name table is asked for here.
///
/// Envoy's stream outlives the one to the control plane: when that comes back, all is asked for again with the
/// versions that Envoy has accepted, and Envoy notices nothing.
package struct RelayMachine: Sendable {
    package typealias Request = Envoy_Service_Discovery_V3_DiscoveryRequest
    package typealias Response = Envoy_Service_Discovery_V3_DiscoveryResponse

    package struct Actions: Sendable {
        package var toControlPlane: [Request] = []
        package var toEnvoy: [Response] = []
        package var names: NameTableUpdate?
        /// What Envoy refused, for the log.
        package var refusals: [String] = []
        /// There is something new to store.
        package var hasNews = false
    }

    private struct Subscription: Sendable {
        /// As Envoy said it last, for the control plane alone.
        var names: [String] = []
        /// What Envoy accepted last of the control plane.
        var version = ""
        /// Of the last response on the current stream; empty: none.
        var nonce = ""
        var versionOffered = ""
    }

    private static let ownNonce = "own-"

    /// Of which only what is named is sent; of the others, everything.
    private static let namedTypes: Set<String> = [
        TypeURL.clusterLoadAssignment, TypeURL.routeConfiguration, TypeURL.secret,
    ]

    private let node: Envoy_Config_Core_V3_Node
    /// Types in the order in which Envoy asked.
    private var order: [String] = []
    private var subscriptions: [String: Subscription] = [:]
    private var isConnected = false
    /// The control plane has sent something.
    private(set) var hasSpoken = false
    /// The part of the conversation that is not Envoy's.
    private var names = Session()

    private var ownSecrets: [String: Google_Protobuf_Any] = [:]
    private var ownWanted: Set<String> = []
    private var ownVersion = 0

    private var memory = RelayMemory()
    /// What an earlier run stored, while the control plane has not spoken.
    private var restored: RestoredResources?

    /// - Parameter node: who the proxy is; Envoy's own words about it are not passed on.
    package init(node: NodeIdentity) { self.node = node.message }

    /// Envoy has begun a new stream and asks for everything again. Returns whether the control plane was asked for an
    /// older one, which needs a new stream, too: on the old one it would send nothing twice.
    package mutating func envoyConnected() -> Bool {
        let wasAsked = !self.order.isEmpty
        self.order = []
        self.subscriptions = [:]
        self.ownWanted = []
        self.restored?.restart()
        return wasAsked
    }

    /// Envoy asks, accepts or refuses.
    package mutating func requested(_ request: Request) -> Actions {
        guard request.typeURL != TypeURL.nameTable else { return Actions() }
        if request.typeURL == TypeURL.secret { return self.secretsRequested(request) }
        var actions = Actions()
        let before = self.subscriptions[request.typeURL]?.names ?? []
        self.note(request, &actions)
        self.memory.wants(request.typeURL, request.resourceNames)
        if self.isConnected {
            // Of what was stored the control plane knows nothing: for it that is at most another list of names.
            let isOfStored = request.responseNonce.hasPrefix(RestoredResources.noncePrefix)
            if !isOfStored || request.resourceNames != before {
                self.pass(request.typeURL, isOfStored ? nil : request, request.resourceNames, &actions)
            }
        } else {
            actions.toEnvoy = self.restoredResponse(request.typeURL)
        }
        return actions
    }

    /// The control plane answered.
    package mutating func responded(_ response: Response) -> Actions {
        self.hasSpoken = true
        var actions = Actions()
        if response.typeURL == TypeURL.nameTable {
            let taken = self.names.received(response)
            actions.names = taken.names
            actions.refusals = taken.errors
            actions.toControlPlane = taken.requests.map { self.message($0) }
            actions.hasNews = taken.names != nil
            return actions
        }
        // Of a type that Envoy asked for on an earlier stream of its own.
        guard self.subscriptions[response.typeURL] != nil else { return actions }
        self.subscriptions[response.typeURL]?.nonce = response.nonce
        self.subscriptions[response.typeURL]?.versionOffered = response.versionInfo
        self.memory.offers(response)
        self.restored?.forget(response.typeURL)
        actions.toEnvoy = [response]
        return actions
    }

    /// A stream to the control plane is open: asks for all that Envoy has asked for.
    package mutating func controlPlaneConnected() -> Actions {
        self.isConnected = true
        var actions = Actions()
        for type in self.order {
            self.subscriptions[type]?.nonce = ""
            guard let subscription = self.subscriptions[type] else { continue }
            // On a new stream no names would ask for all.
            if Self.namedTypes.contains(type), subscription.names.isEmpty { continue }
            actions.toControlPlane.append(
                .with {
                    $0.typeURL = type
                    $0.versionInfo = subscription.version
                    $0.resourceNames = subscription.names
                }
            )
        }
        self.names.disconnected()
        let requests = self.names.connected().requests.filter { $0.kind == .nameTable }
        actions.toControlPlane += requests.map { self.message($0) }
        if !actions.toControlPlane.isEmpty { actions.toControlPlane[0].node = self.node }
        return actions
    }

    package mutating func controlPlaneLost() {
        self.isConnected = false
        for type in self.order { self.subscriptions[type]?.nonce = "" }
    }

    /// The workload's certificate or the mesh's roots are new.
    package mutating func ownSecretsChanged(_ secrets: [String: Google_Protobuf_Any]) -> Actions {
        let changed = secrets.filter { self.ownSecrets[$0.key] != $0.value }.keys
        self.ownSecrets = secrets
        guard !changed.isEmpty else { return Actions() }
        self.ownVersion += 1
        return Actions(toEnvoy: self.ownResponse(self.ownWanted.intersection(changed)))
    }

    // MARK: The last good configuration

    /// What to store; `nil` while it would not be enough to begin with.
    package var lastGood: [Response]? {
        self.memory.stored.map { $0 + self.names.lastGood.filter { $0.typeURL == TypeURL.nameTable } }
    }

    /// Takes what an earlier run stored, unless the control plane is there or has spoken.
    package mutating func restore(_ responses: [Response]) -> Actions {
        guard !self.isConnected, self.restored == nil, !self.hasSpoken else { return Actions() }
        let names = self.names.restore(responses.filter { $0.typeURL == TypeURL.nameTable })
        self.restored = RestoredResources(responses.filter { $0.typeURL != TypeURL.nameTable })
        var actions = Actions(names: names.names, refusals: names.errors)
        for type in self.order { actions.toEnvoy += self.restoredResponse(type) }
        return actions
    }

    private mutating func restoredResponse(_ type: String) -> [Response] {
        let names = Self.namedTypes.contains(type) ? self.subscriptions[type]?.names ?? [] : nil
        return self.restored?.response(type, names: names).map { [$0] } ?? []
    }

    // MARK: Secrets

    private mutating func secretsRequested(_ request: Request) -> Actions {
        var actions = Actions()
        let own: Set<String> = [Self.certificateName, Self.rootsName]
        let wanted = own.intersection(request.resourceNames)
        let added = wanted.subtracting(self.ownWanted)
        self.ownWanted = wanted
        actions.toEnvoy = self.ownResponse(added)

        let others = request.resourceNames.filter { !own.contains($0) }
        let isAnswerToUs = request.responseNonce.hasPrefix(Self.ownNonce)
        if isAnswerToUs, request.hasErrorDetail {
            actions.refusals.append("secrets of the workload: \(request.errorDetail.message)")
        }
        let before = self.subscriptions[request.typeURL]?.names ?? []
        if others.isEmpty, before.isEmpty { return actions }
        if isAnswerToUs || request.responseNonce.isEmpty {
            // For the control plane it is at most another list of names.
            guard others != before else { return actions }
            self.subscribe(request.typeURL, others)
        } else {
            self.note(request, &actions)
            self.subscriptions[request.typeURL]?.names = others
        }
        if self.isConnected { self.pass(request.typeURL, isAnswerToUs ? nil : request, others, &actions) }
        return actions
    }

    private func ownResponse(_ names: Set<String>) -> [Response] {
        let resources = names.sorted().compactMap { self.ownSecrets[$0] }
        guard !resources.isEmpty else { return [] }
        return [
            .with {
                $0.typeURL = TypeURL.secret
                $0.versionInfo = "\(Self.ownNonce)\(self.ownVersion)"
                $0.nonce = "\(Self.ownNonce)\(self.ownVersion)"
                $0.resources = resources
            }
        ]
    }

    private static let certificateName = "default"
    private static let rootsName = "ROOTCA"

    // MARK: Everything else

    private mutating func subscribe(_ type: String, _ names: [String]) {
        if self.subscriptions[type] == nil { self.order.append(type) }
        self.subscriptions[type, default: Subscription()].names = names
    }

    /// Remembers what a request says, for a later stream.
    private mutating func note(_ request: Request, _ actions: inout Actions) {
        self.subscribe(request.typeURL, request.resourceNames)
        if request.hasErrorDetail {
            actions.refusals.append("\(Self.shortName(request.typeURL)): \(request.errorDetail.message)")
            self.memory.refuses(request.typeURL)
        } else if !request.responseNonce.isEmpty,
            request.responseNonce == self.subscriptions[request.typeURL]?.nonce
        {
            self.subscriptions[request.typeURL]?.version = request.versionInfo
            if self.memory.accepts(request.typeURL, nonce: request.responseNonce) { actions.hasNews = true }
        }
    }

    /// Passes a request on, with the nonce that the current stream knows.
    private func pass(_ type: String, _ request: Request?, _ names: [String], _ actions: inout Actions) {
        let subscription = self.subscriptions[type] ?? Subscription()
        let answers = request.map { !$0.responseNonce.isEmpty } ?? false
        // An answer to something that an earlier stream sent says nothing to this one.
        if answers, request?.responseNonce != subscription.nonce { return }
        actions.toControlPlane.append(
            .with {
                $0.typeURL = type
                $0.versionInfo = subscription.version
                $0.responseNonce = subscription.nonce
                $0.resourceNames = names
                if let request, request.hasErrorDetail { $0.errorDetail = request.errorDetail }
            }
        )
    }

    private func message(_ request: SubscriptionMachine.Request) -> Request {
        .with {
            $0.typeURL = request.kind.typeURL
            $0.versionInfo = request.version
            $0.responseNonce = request.nonce
            $0.resourceNames = request.names
            if let error = request.error {
                $0.errorDetail.code = 3  // INVALID_ARGUMENT
                $0.errorDetail.message = error
            }
        }
    }

    private static func shortName(_ typeURL: String) -> String {
        String(typeURL.split(separator: ".").last ?? Substring(typeURL))
    }
}
