import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import MeshModel
import RequestReports
import Serverless
import ServerlessAPI
import SwiftProtobuf
import Testing

@Suite struct KnativeAdapterTests {
    @Test("A request that Mixer asks about wakes the revision, and is allowed for a short time")
    func wakes() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let (received, inbox) = AsyncStream<[StatMessage]>.makeStream()
        let (ports, bound) = AsyncStream<Int>.makeStream()
        let autoscaler = StatServer(logger: logger) { inbox.yield($0) }

        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await autoscaler.run(host: "127.0.0.1", port: 0) { bound.yield($0) } }
            var portIterator = ports.makeAsyncIterator()
            let statPort = try #require(await portIterator.next())
            let target = try #require(StatSender.Target("127.0.0.1:\(statPort)"))
            let sender = StatSender(target: target, form: .gobTextKey, logger: logger)
            let adapter = KnativeAdapter(client: nil, sender: sender, settings: .init(), logger: logger)
            group.addTask { try await adapter.run(host: "127.0.0.1", port: 0) { bound.yield($0) } }
            let port = try #require(await portIterator.next())

            let result = try await withGRPCClient(
                transport: .http2NIOPosix(
                    target: .ipv4(address: "127.0.0.1", port: port),
                    transportSecurity: .plaintext
                )
            ) { client in
                let request = Authorization_HandleAuthorizationRequest.with {
                    $0.instance.action.namespace = "default"
                    $0.instance.action.service = "hello-00001-priv.shop.svc.cluster.local"
                }
                return try await Authorization_HandleAuthorizationService.Client(wrapping: client)
                    .handleAuthorization(request)
            }
            var messages = received.makeAsyncIterator()
            let message = try #require(await messages.next()?.first)

            #expect(message.revision == ObjectID(namespace: "shop", name: "hello-00001"))
            #expect(message.stat.averageConcurrentRequests == 1)
            #expect(result.status.code == 0)
            #expect(result.validDuration.seconds == 1)
            #expect(result.validUseCount == 10_000)
            group.cancelAll()
            while (try? await group.next()) != nil {}
        }
    }
}
