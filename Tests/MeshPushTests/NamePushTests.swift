import GRPCCore
import Logging
import MeshModel
import MeshPush
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

/// From a new snapshot to what a proxy reads on its stream, without a socket.
@Suite struct NamePushTests {
    private typealias Request = Envoy_Service_Discovery_V3_DiscoveryRequest
    private typealias Response = Envoy_Service_Discovery_V3_DiscoveryResponse
    private typealias Table = Istio_Networking_Nds_V1_NameTable

    private struct Written: RPCWriterProtocol {
        let continuation: AsyncStream<Response>.Continuation

        func write(_ element: Response) async throws { self.continuation.yield(element) }
        func write(contentsOf elements: some Sequence<Response>) async throws {
            for element in elements { self.continuation.yield(element) }
        }
    }

    /// `count` services with an address, and the headless service `db` with instances.
    private func snapshot(_ count: Int, revision: UInt64, instances: [String]) throws -> MeshSnapshot {
        let port = try #require(Port(3306))
        let db = Service(
            host: try #require(HostName("db.shop.svc.cluster.local")),
            ports: [ServicePort(name: "mysql", port: port, applicationProtocol: .mysql)],
            isHeadless: true,
            source: ObjectReference(kind: "Service", id: ObjectID(namespace: "shop", name: "db"))
        )
        var snapshot = MeshSnapshot(revision: revision)
        snapshot.services = try (0..<count).map { number in
            Service(
                host: try #require(HostName("svc-\(number).shop.svc.cluster.local")),
                addresses: [CIDR(.v4(0x0ad6_0000 + UInt32(number)))],
                ports: [ServicePort(name: "http", port: try #require(Port(80)), applicationProtocol: .http)],
                source: ObjectReference(kind: "Service", id: ObjectID(namespace: "shop", name: "svc-\(number)"))
            )
        }
        snapshot.services.append(db)
        let addresses = try instances.map { try #require(IPAddress($0)) }
        snapshot.instances[ServiceKey(db)] = addresses.enumerated().map {
            ServiceInstance(address: $1, hostName: "db-\($0)")
        }
        snapshot.endpoints[ServiceKey(db)] = addresses.map {
            Endpoint(address: .ip($0), port: port, servicePortName: "mysql")
        }
        return snapshot
    }

    @Test("A new instance of a headless service sends its shard alone, after the listeners that know its address")
    func headless() async throws {
        let first = try self.snapshot(2000, revision: 1, instances: ["10.213.1.1"])
        let second = try self.snapshot(2000, revision: 2, instances: ["10.213.1.1", "10.213.1.2"])
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var debounce = Gathering.Debounce()
        debounce.quiet = .zero
        let push = PushServer(snapshot: first, debounce: debounce, logger: logger)
        let (requests, ask) = AsyncThrowingStream.makeStream(of: Request.self)
        let (responses, answered) = AsyncStream.makeStream(of: Response.self)
        let service = ADSService(server: push, logger: logger)

        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await push.run() }
            group.addTask { try await Self.serve(service, requests, Written(continuation: answered)) }
            func next() async throws -> Response {
                // The stream keeps what has come; an iterator of its own for each message loses none.
                for await response in responses { return response }
                throw CancellationError()
            }
            for kind in [ResourceKind.listener, .nameTable] { ask.yield(self.request(kind)) }
            let started = [try await next(), try await next()]
            for response in started { ask.yield(self.request(.init(typeURL: response.typeURL), nonce: response.nonce)) }
            // An answer to the next request says that the server has heard those before it.
            ask.yield(self.request(.cluster))
            _ = try await next()

            let clock = ContinuousClock()
            let start = clock.now
            push.update(second)
            let listeners = try await next()
            let names = try await next()
            print("one of 2,001 services changed: pushed after \(clock.now - start)")

            let key = ProxyKey(
                role: .sidecar,
                address: .v4(0x0ad5_0001),
                workload: ObjectID(namespace: "shop", name: "web-1"),
                dnsDomain: "shop.svc.cluster.local"
            )
            let fresh = Translator.resources(of: key, in: second)
            #expect(listeners.typeURL == ResourceKind.listener.typeURL)
            #expect(
                try listeners.resources.map { try Envoy_Config_Listener_V3_Listener(unpackingAny: $0) }
                    == fresh.listeners
            )
            #expect(names.typeURL == ResourceKind.nameTable.typeURL && names.resources.count == 1)
            var table = try Self.table(started[1])
            for (name, part) in try Self.table(names) { table[name] = part }
            let whole = table.values.reduce(into: Table()) { $0.table.merge($1.table) { $1 } }
            #expect(whole == fresh.nameTable)
            #expect(whole.table["db-1.db.shop.svc.cluster.local"]?.ips == ["10.213.1.2"])
            ask.finish()
            group.cancelAll()
        }
    }

    private static func serve(
        _ service: ADSService,
        _ requests: AsyncThrowingStream<Request, any Error>,
        _ writer: Written
    ) async throws {
        try await withServerContextRPCCancellationHandle { cancellation in
            let context = ServerContext(
                descriptor: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Method.StreamAggregatedResources
                    .descriptor,
                remotePeer: "in-process:1",
                localPeer: "in-process:2",
                cancellation: cancellation
            )
            let response = try await service.streamAggregatedResources(
                request: StreamingServerRequest(metadata: [:], messages: RPCAsyncSequence(wrapping: requests)),
                context: context
            )
            _ = try await response.accepted.get().producer(RPCWriter(wrapping: writer))
        }
    }

    private func request(_ kind: ResourceKind?, nonce: String = "") -> Request {
        .with {
            $0.node.id = "sidecar~10.213.0.1~web-1.shop~shop.svc.cluster.local"
            $0.node.metadata.fields["LATEEN_NAME_TABLE"] = .init(stringValue: "shards")
            $0.typeURL = kind?.typeURL ?? ""
            $0.responseNonce = nonce
        }
    }

    /// The shards of a response by name.
    private static func table(_ response: Response) throws -> [String: Table] {
        try response.resources.reduce(into: [:]) { shards, resource in
            let shard = try Envoy_Service_Discovery_V3_Resource(unpackingAny: resource)
            shards[shard.name] = try Table(unpackingAny: shard.resource)
        }
    }
}
