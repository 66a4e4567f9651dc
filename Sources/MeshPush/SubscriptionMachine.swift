import Foundation

/// The rules of one proxy's stream, without the stream: what it asked for, what it was sent, what it said to that.
///
/// State of the world: a response holds all of its kind, or for named kinds what changed of the names asked for.
/// At most one response of a kind is unanswered; changes meanwhile wait and go out as one, so a slow proxy is
/// never buried.
package struct SubscriptionMachine: Sendable {
    /// What a proxy says on its stream.
    package struct Request: Hashable, Sendable {
        package var kind: ResourceKind
        package var names: [String]
        /// The nonce of the response that this answers; empty at first.
        package var nonce: String
        /// Why the proxy refused that response; `nil`: it did not.
        package var refusal: String?

        package init(kind: ResourceKind, names: [String] = [], nonce: String = "", refusal: String? = nil) {
            self.kind = kind
            self.names = names
            self.nonce = nonce
            self.refusal = refusal
        }
    }

    /// Something to send.
    package struct Response: Hashable, Sendable {
        package var kind: ResourceKind
        package var version: String
        package var nonce: String
        package var resources: [EncodedResource]
    }

    /// What became of a response.
    package enum Outcome: Hashable, Sendable {
        /// The request answered nothing that is still of interest.
        case none
        case accepted(ResourceKind, version: String)
        case refused(Refusal)
    }

    /// A response that the proxy would not take; it goes on with what it had.
    package struct Refusal: Hashable, Sendable {
        package var kind: ResourceKind
        package var version: String
        package var message: String
        /// The resources that the message mentions, else all of the response, shortened.
        package var names: [String]
    }

    package struct OnRequest: Hashable, Sendable {
        package var outcome: Outcome
        package var responses: [Response]
    }

    /// How far one kind has come, as `proxy-status` shows it.
    package struct Progress: Hashable, Sendable {
        package enum State: String, Hashable, Sendable, Codable {
            case synced = "SYNCED"
            /// Not answered yet, or refused.
            case stale = "STALE"
            case notSent = "NOT SENT"
        }

        package var state: State
        package var versionSent: String
        package var versionAccepted: String
        package var refusal: Refusal?
    }

    private struct Subscription: Sendable {
        var names: Set<String> = []
        var nonce = ""
        var version = ""
        /// Whether the proxy has said something to the last response.
        var isAnswered = true
        var versionAccepted = ""
        /// Why it would not take the last response.
        var refusal: Refusal?
        /// What was last sent of each name; a name that is missing here is owed.
        var sent: [String: EncodedResource] = [:]
        /// Names in the last response, for a refusal's report.
        var namesSent: [String] = []
        /// Asked for anew: answer even if there is nothing to tell.
        var isForced = true
    }

    private var subscriptions: [ResourceKind: Subscription] = [:]
    private var resources: ResourceSet
    private var version: String
    private var nonceCounter: UInt64 = 0
    /// The proxy takes the name table in shards: those that changed, an empty one for one that has gone, and in the
    /// first response all.
    package let takesNameShards: Bool

    package init(resources: ResourceSet = ResourceSet(), version: String = "", takesNameShards: Bool = false) {
        self.resources = resources
        self.version = version
        self.takesNameShards = takesNameShards
    }

    package mutating func requestReceived(_ request: Request) -> OnRequest {
        let isNew = self.subscriptions[request.kind] == nil
        var subscription = self.subscriptions[request.kind] ?? Subscription()
        // An answer to a response that a newer one has replaced; the proxy will answer that one, too. On a new
        // stream the nonce is one of the stream before, and means nothing.
        if !isNew, request.nonce != subscription.nonce { return OnRequest(outcome: .none, responses: []) }

        var outcome = Outcome.none
        if !isNew, !subscription.isAnswered, !request.nonce.isEmpty {
            outcome = Self.answered(&subscription, request)
        }
        if request.kind.isNamed {
            subscription.names = Set(request.names)
            subscription.sent = subscription.sent.filter { subscription.names.contains($0.key) }
        }
        self.subscriptions[request.kind] = subscription
        return OnRequest(outcome: outcome, responses: self.respond(request.kind).map { [$0] } ?? [])
    }

    /// New resources, perhaps the same as before; what is due of them, in the order to send it.
    package mutating func resourcesChanged(_ resources: ResourceSet, version: String) -> [Response] {
        self.resources = resources
        self.version = version
        return ResourceKind.allCases.compactMap { self.respond($0) }
    }

    package var progress: [ResourceKind: Progress] {
        self.subscriptions.mapValues { subscription in
            let state: Progress.State =
                if subscription.nonce.isEmpty {
                    .notSent
                } else {
                    subscription.isAnswered && subscription.refusal == nil ? .synced : .stale
                }
            return Progress(
                state: state,
                versionSent: subscription.version,
                versionAccepted: subscription.versionAccepted,
                refusal: subscription.refusal
            )
        }
    }

    private static func answered(_ subscription: inout Subscription, _ request: Request) -> Outcome {
        subscription.isAnswered = true
        guard let message = request.refusal else {
            subscription.refusal = nil
            subscription.versionAccepted = subscription.version
            return .accepted(request.kind, version: subscription.version)
        }
        let mentioned = subscription.namesSent.filter { message.contains($0) }
        let refusal = Refusal(
            kind: request.kind,
            version: subscription.version,
            message: message,
            names: Array((mentioned.isEmpty ? subscription.namesSent : mentioned).prefix(Self.namesReportedMax))
        )
        subscription.refusal = refusal
        return .refused(refusal)
    }

    /// Bounds a refusal's report; a proxy may hold thousands of resources.
    private static let namesReportedMax = 10

    /// The response that is due now, if any.
    private mutating func respond(_ kind: ResourceKind) -> Response? {
        guard var subscription = self.subscriptions[kind], subscription.isAnswered else { return nil }
        let current = self.current(kind)
        let due: [EncodedResource]
        if kind == .nameTable, self.takesNameShards {
            due = Self.changes(from: subscription.sent, to: current)
            if due.isEmpty, !subscription.isForced { return nil }
            subscription.sent = Dictionary(current.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        } else if kind.isReplacedAsAWhole {
            let isEqual =
                current.count == subscription.sent.count && current.allSatisfy { subscription.sent[$0.name] == $0 }
            guard subscription.isForced || !isEqual else { return nil }
            due = current
            if kind == .cluster { self.forgetEndpoints(ofClustersChangedFrom: subscription.sent) }
            subscription.sent = Dictionary(current.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        } else {
            due = current.filter { subscription.names.contains($0.name) && subscription.sent[$0.name] != $0 }
            // Nothing to say: the proxy keeps what it has, and waits for what does not exist yet.
            if due.isEmpty { return nil }
            for resource in due { subscription.sent[resource.name] = resource }
        }
        self.nonceCounter += 1
        subscription.nonce = "\(self.nonceCounter)"
        subscription.version = self.version
        subscription.isAnswered = false
        subscription.isForced = false
        subscription.namesSent = due.map(\.name)
        self.subscriptions[kind] = subscription
        return Response(kind: kind, version: self.version, nonce: subscription.nonce, resources: due)
    }

    private func current(_ kind: ResourceKind) -> [EncodedResource] {
        let resources = self.resources[kind]
        return kind == .nameTable && !self.takesNameShards ? [NameShards.whole(resources)] : resources
    }

    /// What is not as it was sent, and an empty one in place of what is gone.
    private static func changes(
        from sent: [String: EncodedResource],
        to current: [EncodedResource]
    ) -> [EncodedResource] {
        let gone = Set(sent.keys).subtracting(current.map(\.name)).sorted()
        return current.filter { sent[$0.name] != $0 } + gone.map { EncodedResource(name: $0, bytes: Data()) }
    }

    /// A cluster that changes is made anew by the proxy and waits for its endpoints again, though they are the same.
    private mutating func forgetEndpoints(ofClustersChangedFrom sent: [String: EncodedResource]) {
        for cluster in self.resources[.cluster] where sent[cluster.name] != cluster {
            self.subscriptions[.endpoint]?.sent[cluster.endpointsName] = nil
        }
    }
}
