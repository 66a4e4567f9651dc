import GRPCCore
import Logging
import MeshModel
import MeshPush
import SwiftProtobuf
import Synchronization
import Testing
import XDSAPI

/// Streams from the authenticator to the Secrets, without a socket.
@Suite struct ADSServiceTests {
    private typealias Request = Envoy_Service_Discovery_V3_DiscoveryRequest
    private typealias Response = Envoy_Service_Discovery_V3_DiscoveryResponse

    /// Takes the word of whoever has a word to say.
    private struct ByHeader: PeerAuthenticator {
        func peer(metadata: Metadata, context: ServerContext) async throws -> ProvenPeer? {
            let pod = metadata[stringValues: "pod"].first { _ in true }
            return metadata[stringValues: "who"].first { _ in true }.flatMap { WorkloadID($0) }
                .map { ProvenPeer(identity: $0, pod: pod) }
        }
    }

    @Test("A proxy that proved who it is gets the Secret it asks for")
    func authenticated() async throws {
        let responses = try await self.serve(as: "spiffe://cluster.local/ns/shop/sa/web")

        #expect(responses.first?.resources.count == 1)
    }

    @Test("A peer that proves nothing is turned away where proof is wanted")
    func unauthenticated() async throws {
        let error = await #expect(throws: RPCError.self) { try await self.serve(as: nil) }
        #expect(error?.code == .unauthenticated)
    }

    @Test("A proxy that claims another namespace or account than its own is turned away")
    func impersonation() async throws {
        for identity in ["spiffe://cluster.local/ns/bank/sa/web", "spiffe://cluster.local/ns/shop/sa/admin"] {
            let error = await #expect(throws: RPCError.self) { try await self.serve(as: identity) }
            #expect(error?.code == .permissionDenied)
        }
    }

    @Test("A token of another pod, and the word of a gateway that nobody knows, are not enough for a Secret")
    func foreignPods() async throws {
        let web = "spiffe://cluster.local/ns/shop/sa/web"
        let gateway = "router~10.213.1.1~web-1.shop~shop.svc.cluster.local"
        let cases: [(node: String, pod: String?)] = [(Self.node, "web-2"), (gateway, nil)]
        for (node, pod) in cases {
            let error = await #expect(throws: RPCError.self) {
                try await self.serve(as: web, node: node, pod: pod)
            }
            #expect(error?.code == .permissionDenied)
        }
        #expect(try await self.serve(as: web, pod: "web-1").first?.resources.count == 1)
    }

    @Test("A proxy has the labels of its pod, whatever it says of itself")
    func labels() async throws {
        let observer = Observer()
        var workload = Workload(
            id: ObjectID(namespace: "shop", name: "web-1"),
            address: try #require(IPAddress("10.213.1.1")),
            labels: ["app": "web"],
            serviceAccount: "web"
        )
        _ = try await self.serve(
            as: "spiffe://cluster.local/ns/shop/sa/web",
            observer: observer,
            workloads: [workload]
        )
        #expect(observer.labels == ["app": "web"])

        workload.serviceAccount = "gateway"
        let error = await #expect(throws: RPCError.self) {
            try await self.serve(as: "spiffe://cluster.local/ns/shop/sa/web", workloads: [workload])
        }
        #expect(error?.code == .permissionDenied)
    }

    @Test("By the plain port all may come, and Secrets only where the network is trusted")
    func plain() async throws {
        #expect(try await self.serve(as: nil, authenticator: nil).isEmpty)
        #expect(try await self.serve(as: nil, authenticator: nil, trusts: true).first?.resources.count == 1)
    }

    @Test("A node that says so gets names in shards, any other one table")
    func names() async throws {
        let shards = try await self.serve(as: nil, authenticator: nil, asking: .nameTable, form: "shards")
        let whole = try await self.serve(as: nil, authenticator: nil, asking: .nameTable)

        let resource = try #require(shards.first?.resources.first)
        #expect(shards.first?.resources.count == 1 && shards.first?.typeURL == ResourceKind.nameTable.typeURL)
        let shard = try Envoy_Service_Discovery_V3_Resource(unpackingAny: resource)
        #expect(shard.name.hasPrefix("nametable/") && !shard.version.isEmpty)
        let part = try Istio_Networking_Nds_V1_NameTable(unpackingAny: shard.resource)
        let table = try Istio_Networking_Nds_V1_NameTable(unpackingAny: try #require(whole.first?.resources.first))
        #expect(part == table && table.table.keys.sorted() == ["db.outside.test"])
    }

    @Test("Who watches hears of a proxy with its proof and its words, of its workload's health, and of its end")
    func observed() async throws {
        let observer = Observer()
        _ = try await self.serve(
            as: "spiffe://cluster.local/ns/shop/sa/web",
            observer: observer,
            more: [Self.health(nil), Self.health("refused")]
        )

        #expect(
            observer.events == [
                "connected shop/web-1 true web", "health true ", "health false refused",
                "disconnected",
            ]
        )
    }

    @Test(
        "A proxy that who watches refuses is turned away before anything is pushed",
        arguments: [
            (ProxyRefusal.Code.missing, RPCError.Code.failedPrecondition), (.forbidden, .permissionDenied),
            (.unavailable, .unavailable),
        ]
    )
    func refused(_ why: ProxyRefusal.Code, _ code: RPCError.Code) async throws {
        let observer = Observer(refusal: ProxyRefusal(why, "no such group"))
        let error = await #expect(throws: RPCError.self) {
            try await self.serve(as: "spiffe://cluster.local/ns/shop/sa/web", observer: observer)
        }
        #expect(error?.code == code)
        #expect(error?.message == "no such group")
        #expect(observer.events.last == "disconnected")
    }

    private static let node = "sidecar~10.213.1.1~web-1.shop~shop.svc.cluster.local"

    private static func metadata(_ identity: String?, _ pod: String?) -> Metadata {
        var metadata = Metadata()
        if let identity { metadata.addString(identity, forKey: "who") }
        if let pod { metadata.addString(pod, forKey: "pod") }
        return metadata
    }

    private static func health(_ problem: String?) -> Request {
        var request = Request()
        request.typeURL = WorkloadHealth.typeURL
        if let problem {
            request.errorDetail.code = 500
            request.errorDetail.message = problem
        }
        return request
    }

    private final class Observer: ProxyObserver {
        private let refusal: ProxyRefusal?
        private let all = Mutex<[String]>([])
        private let seen = Mutex<[String: String]?>(nil)

        var labels: [String: String]? { self.seen.withLock { $0 } }

        init(refusal: ProxyRefusal? = nil) { self.refusal = refusal }

        var events: [String] { self.all.withLock { $0 } }

        func connected(_ connection: ProxyConnection) async throws {
            let proxy = connection.proxy
            self.seen.withLock { $0 = proxy.labels }
            let account = connection.metadata["SERVICE_ACCOUNT"] ?? ""
            self.add("connected \(proxy.workload) \(proxy.isAuthenticated) \(account)")
            if let refusal { throw refusal }
        }

        func reported(_ id: UInt64, _ health: WorkloadHealth) {
            self.add("health \(health.isHealthy) \(health.message)")
        }

        func disconnected(_ id: UInt64) { self.add("disconnected") }

        private func add(_ event: String) { self.all.withLock { $0.append(event) } }
    }

    /// What a proxy of `shop` hears that says it is `web`, asks for a Secret or for names and hangs up.
    private func serve(
        as identity: String?,
        authenticator: ByHeader? = ByHeader(),
        trusts: Bool = false,
        asking kind: ResourceKind = .secret,
        form: String = "",
        observer: Observer? = nil,
        node: String = Self.node,
        pod: String? = nil,
        workloads: [Workload] = [],
        more: [Request] = []
    ) async throws -> [Response] {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var snapshot = try self.snapshot()
        for workload in workloads { snapshot.workloads[workload.address] = workload }
        let push = PushServer(
            snapshot: snapshot,
            trustsUnauthenticated: trusts,
            workloadLimit: .zero,
            observer: observer,
            logger: logger
        )
        let service = ADSService(server: push, authenticator: authenticator, logger: logger)
        var request = Request()
        request.node.id = node
        request.node.metadata.fields["LABELS"] = .init(structValue: .with { $0.fields["istio"] = "gateway" })
        request.node.metadata.fields["SERVICE_ACCOUNT"] = .init(stringValue: "web")
        request.node.metadata.fields["LATEEN_NAME_TABLE"] = .init(stringValue: form)
        request.typeURL = kind.typeURL
        request.resourceNames = kind == .secret ? ["kubernetes://client"] : []
        let messages = [request] + more
        return try await withServerContextRPCCancellationHandle { cancellation in
            let context = ServerContext(
                descriptor: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Method.StreamAggregatedResources
                    .descriptor,
                remotePeer: "in-process:1",
                localPeer: "in-process:2",
                cancellation: cancellation
            )
            let response = try await service.streamAggregatedResources(
                request: StreamingServerRequest(
                    metadata: Self.metadata(identity, pod),
                    messages: RPCAsyncSequence(wrapping: Once(messages))
                ),
                context: context
            )
            let written = Written()
            _ = try await response.accepted.get().producer(RPCWriter(wrapping: written))
            return written.responses
        }
    }

    private func snapshot() throws -> MeshSnapshot {
        let port = try #require(Port(443))
        let host = try #require(HostName("www.outside.test"))
        let id = ObjectID(namespace: "shop", name: "x")
        var snapshot = MeshSnapshot(revision: 1)
        snapshot.services = [
            Service(
                host: host,
                ports: [ServicePort(name: "http", port: port, applicationProtocol: .http)],
                resolution: .dns(roundRobin: false),
                isExternal: true,
                source: ObjectReference(kind: "ServiceEntry", id: id)
            ),
            Service(
                host: try #require(HostName("db.outside.test")),
                addresses: [try #require(CIDR("240.240.0.1"))],
                ports: [],
                source: ObjectReference(kind: "ServiceEntry", id: id)
            ),
        ]
        var tls = ClientTLSSettings(mode: .mutual)
        tls.credentialName = "client"
        var policy = TrafficPolicy()
        policy.tls = tls
        snapshot.destinationPolicies = [
            DestinationPolicy(source: ObjectReference(kind: "DestinationRule", id: id), host: host, policy: policy)
        ]
        snapshot.credentials[ObjectID(namespace: "shop", name: "client")] = TLSCredential(
            certificateChain: [1],
            privateKey: [2],
            roots: [3]
        )
        return snapshot
    }

    private final class Written: RPCWriterProtocol {
        private let all = Mutex<[Response]>([])

        var responses: [Response] { self.all.withLock { $0 } }

        func write(_ element: Response) async throws { self.all.withLock { $0.append(element) } }

        func write(contentsOf elements: some Sequence<Response>) async throws {
            let elements = Array(elements)
            self.all.withLock { $0 += elements }
        }
    }

    /// Says what it has to say and is over.
    private struct Once: AsyncSequence, Sendable {
        private let requests: [Request]

        init(_ requests: [Request]) { self.requests = requests }

        func makeAsyncIterator() -> Iterator { Iterator(requests: self.requests[...]) }

        struct Iterator: AsyncIteratorProtocol {
            fileprivate var requests: ArraySlice<Request>

            mutating func next() async throws -> Request? { self.requests.popFirst() }
        }
    }
}
