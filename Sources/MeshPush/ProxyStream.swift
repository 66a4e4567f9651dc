import GRPCCore
import Logging
import MeshModel
import SwiftProtobuf
import XDSAPI

/// One proxy's stream: feeds the machine with requests and generations, and sends what it says.
struct ProxyStream {
    private enum Event: Sendable {
        case request(Envoy_Service_Discovery_V3_DiscoveryRequest)
        case generation
    }

    private let id: UInt64
    private let proxy: ProxyKey
    private let server: PushServer
    private let logger: Logger
    private var machine: SubscriptionMachine
    private var generation: Generation
    /// When the versions were published that the proxy has not answered yet.
    private var publishedAt: [String: ContinuousClock.Instant]

    /// Requests that wait while one is handled; a proxy has a handful of kinds and one answer for each.
    private static let eventsMax = 64

    /// Serves a stream until the proxy or the server ends it.
    ///
    /// - Parameters:
    ///   - requests: what the proxy says.
    ///   - peer: whom the proxy proved to be; `nil`: it was not asked.
    ///   - server: what there is to push.
    ///   - logger: of the server.
    ///   - send: sends to the proxy.
    /// - Throws: `RPCError` for the proxy.
    static func serve(
        _ requests: RPCAsyncSequence<Envoy_Service_Discovery_V3_DiscoveryRequest, any Error>,
        peer: ProvenPeer?,
        server: PushServer,
        logger: Logger,
        send: @escaping @Sendable (Envoy_Service_Discovery_V3_DiscoveryResponse) async throws -> Void
    ) async throws {
        let (events, source) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingOldest(Self.eventsMax))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { source.finish() }
                for try await request in requests {
                    if case .dropped = source.yield(.request(request)) {
                        throw RPCError(code: .resourceExhausted, message: "too many requests at once")
                    }
                }
            }
            group.addTask {
                // A wake-up that is dropped is no loss: each event also looks for a newer generation.
                try await Self.run(
                    events,
                    peer: peer,
                    server: server,
                    logger: logger,
                    wake: { source.yield(.generation) },
                    send
                )
            }
            // The first to fail ends the other; both end when the proxy hangs up.
            while try await group.next() != nil {}
        }
    }

    private static func run(
        _ events: AsyncStream<Event>,
        peer: ProvenPeer?,
        server: PushServer,
        logger: Logger,
        wake: @escaping @Sendable () -> Void,
        _ send: (Envoy_Service_Discovery_V3_DiscoveryResponse) async throws -> Void
    ) async throws {
        var iterator = events.makeAsyncIterator()
        // The first request says who asks.
        guard case .request(let first) = await iterator.next() else { return }
        let proxy = try await Self.proxy(first.node, peer: peer, server: server)
        let id = server.connected(proxy, userAgent: first.node.userAgent, wake: wake)
        var logger = logger
        logger[metadataKey: "proxy"] = "\(proxy.workload.name).\(proxy.workload.namespace)"
        logger.info("proxy connected", metadata: ["address": "\(proxy.address)"])
        var stream = await ProxyStream(id: id, first.node, proxy: proxy, server: server, logger: logger)
        do {
            try await Self.announce(ProxyConnection(id: id, proxy: proxy, metadata: first.node.texts), server)
            try await stream.received(first, send)
            while let event = await iterator.next() {
                if case .request(let request) = event { try await stream.received(request, send) }
                try await stream.catchUp(send)
            }
        } catch {
            await server.disconnected(id)
            throw error
        }
        await server.disconnected(id)
        logger.info("proxy disconnected")
    }

    private static func announce(_ connection: ProxyConnection, _ server: PushServer) async throws {
        do {
            try await server.observer?.connected(connection)
        } catch let refusal as ProxyRefusal {
            let code: RPCError.Code =
                switch refusal.code {
                case .missing: .failedPrecondition
                case .forbidden: .permissionDenied
                case .unavailable: .unavailable
                }
            throw RPCError(code: code, message: refusal.description)
        }
    }

    private static func proxy(
        _ node: Envoy_Config_Core_V3_Node,
        peer: ProvenPeer?,
        server: PushServer
    ) async throws -> ProxyKey {
        var proxy: ProxyKey
        do {
            proxy = try ProxyKey(node: node)
        } catch {
            throw RPCError(code: .invalidArgument, message: error.description)
        }
        guard let peer else {
            proxy.isAuthenticated = server.trustsUnauthenticated
            return proxy
        }
        do {
            try proxy.authenticate(as: peer)
        } catch {
            throw RPCError(code: .permissionDenied, message: error.description)
        }
        return try await Self.confirmed(proxy, server)
    }

    /// The proxy with the labels that the cluster knows. What is known may lag behind a pod that has just begun, or
    /// that has got the address of another, so a contradiction is looked at again for a while.
    private static func confirmed(_ proxy: ProxyKey, _ server: PushServer) async throws -> ProxyKey {
        let deadline = ContinuousClock.now + server.workloadLimit
        while true {
            var confirmed = proxy
            do throws(ImpersonationError) {
                try confirmed.confirm(in: server.snapshot)
                return confirmed
            } catch {
                guard ContinuousClock.now < deadline else {
                    throw RPCError(code: .permissionDenied, message: error.description)
                }
            }
            try await Task.sleep(for: Self.confirmationPause)
        }
    }

    private static let confirmationPause: Duration = .milliseconds(50)

    private init(
        id: UInt64,
        _ node: Envoy_Config_Core_V3_Node,
        proxy: ProxyKey,
        server: PushServer,
        logger: Logger
    ) async {
        self.id = id
        self.proxy = proxy
        self.server = server
        self.logger = logger
        self.generation = server.generation
        self.publishedAt = [:]
        let resources = await server.resources(for: proxy, in: self.generation)
        self.machine = SubscriptionMachine(
            resources: resources,
            version: self.generation.version,
            takesNameShards: node.takesNameShards
        )
    }

    private func packed(_ resource: EncodedResource, _ kind: ResourceKind) -> Google_Protobuf_Any {
        if kind == .nameTable, self.machine.takesNameShards { return NameShards.wrapped(resource) }
        return .with {
            $0.typeURL = kind.typeURL
            $0.value = resource.bytes
        }
    }

    private mutating func received(
        _ request: Envoy_Service_Discovery_V3_DiscoveryRequest,
        _ send: (Envoy_Service_Discovery_V3_DiscoveryResponse) async throws -> Void
    ) async throws {
        if request.typeURL == WorkloadHealth.typeURL {
            let message = request.hasErrorDetail ? request.errorDetail.message : ""
            self.server.observer?.reported(
                self.id,
                WorkloadHealth(isHealthy: !request.hasErrorDetail, message: message)
            )
            return
        }
        guard let kind = ResourceKind(typeURL: request.typeURL) else {
            // Envoy asks for kinds that we have none of; no answer means none.
            self.logger.debug("unknown type asked for", metadata: ["type": "\(request.typeURL)"])
            return
        }
        let action = self.machine.requestReceived(
            SubscriptionMachine.Request(
                kind: kind,
                names: request.resourceNames,
                nonce: request.responseNonce,
                refusal: request.hasErrorDetail ? request.errorDetail.message : nil
            )
        )
        switch action.outcome {
        case .none: ()
        case .accepted(_, let version):
            if let publishedAt = self.publishedAt[version] {
                let duration = ContinuousClock.now - publishedAt
                self.server.report(self.id, progress: self.machine.progress) { $0.converged(after: duration) }
            }
        case .refused(let refusal):
            self.logger.warning(
                "proxy refused configuration and goes on with what it had",
                metadata: [
                    "type": "\(refusal.kind.rawValue)", "version": "\(refusal.version)",
                    "resources": "\(refusal.names.joined(separator: ", "))", "message": "\(refusal.message)",
                ]
            )
            self.server.report(self.id, progress: self.machine.progress) { $0.refusals[kind, default: 0] += 1 }
        }
        try await self.deliver(action.responses, send)
    }

    /// Sends what a newer generation has for this proxy.
    private mutating func catchUp(
        _ send: (Envoy_Service_Discovery_V3_DiscoveryResponse) async throws -> Void
    ) async throws {
        let newest = self.server.generation
        guard newest.number > self.generation.number else { return }
        self.generation = newest
        self.publishedAt = self.publishedAt.filter { newest.publishedAt - $0.value < .seconds(60) }
        self.publishedAt[newest.version] = newest.publishedAt
        let resources = await self.server.resources(for: self.proxy, in: newest)
        try await self.deliver(self.machine.resourcesChanged(resources, version: newest.version), send)
    }

    private func deliver(
        _ responses: [SubscriptionMachine.Response],
        _ send: (Envoy_Service_Discovery_V3_DiscoveryResponse) async throws -> Void
    ) async throws {
        for response in responses {
            try await send(
                .with {
                    $0.versionInfo = response.version
                    $0.typeURL = response.kind.typeURL
                    $0.nonce = response.nonce
                    $0.controlPlane.identifier = "lateen-control"
                    $0.resources = response.resources.map { self.packed($0, response.kind) }
                }
            )
            self.logger.debug(
                "pushed",
                metadata: ["type": "\(response.kind.rawValue)", "resources": "\(response.resources.count)"]
            )
        }
        self.server.report(self.id, progress: self.machine.progress) { statistics in
            for response in responses { statistics.pushes[response.kind, default: 0] += 1 }
        }
    }
}

extension Envoy_Config_Core_V3_Node {
    /// Whether the proxy says that it takes the name table in shards; Istio's own agent takes it as a whole.
    fileprivate var takesNameShards: Bool {
        self.metadata.fields[NodeMetadata.nameTable]?.stringValue == NodeMetadata.shards
    }

    /// What of the metadata is text.
    fileprivate var texts: [String: String] {
        self.metadata.fields.compactMapValues { value in
            if case .stringValue(let text) = value.kind { text } else { nil }
        }
    }

    /// What the proxy says it is.
    fileprivate var userAgent: String {
        let version =
            switch self.userAgentVersionType {
            case .userAgentVersion(let version): version
            case .userAgentBuildVersion(let build):
                "\(build.version.majorNumber).\(build.version.minorNumber).\(build.version.patch)"
            case nil: ""
            }
        return [self.userAgentName, version].filter { !$0.isEmpty }.joined(separator: "/")
    }
}
