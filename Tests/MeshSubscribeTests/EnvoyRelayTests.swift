import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import MeshModel
import MeshSubscribe
import MeshTestSupport
import SwiftProtobuf
import Synchronization
import Testing
import TrafficEngine
import XDSAPI

@Suite struct EnvoyRelayTests {
    private typealias Service = Envoy_Service_Discovery_V3_AggregatedDiscoveryService
    private typealias Request = Envoy_Service_Discovery_V3_DiscoveryRequest
    private typealias Response = Envoy_Service_Discovery_V3_DiscoveryResponse

    /// Answers each first request of a type with one version, and remembers what it was asked.
    private final class ControlPlane: Service.SimpleServiceProtocol {
        let asked = Mutex<[Request]>([])

        func streamAggregatedResources(
            request: RPCAsyncSequence<Request, any Error>,
            response: RPCWriter<Response>,
            context: ServerContext
        ) async throws {
            for try await message in request {
                self.asked.withLock { $0.append(message) }
                guard message.responseNonce.isEmpty, message.typeURL == TypeURL.cluster else { continue }
                try await response.write(
                    .with {
                        $0.typeURL = message.typeURL
                        $0.versionInfo = "7"
                        $0.nonce = "n7"
                    }
                )
            }
        }

        func deltaAggregatedResources(
            request: RPCAsyncSequence<Envoy_Service_Discovery_V3_DeltaDiscoveryRequest, any Error>,
            response: RPCWriter<Envoy_Service_Discovery_V3_DeltaDiscoveryResponse>,
            context: ServerContext
        ) async throws {}
    }

    private let node = NodeIdentity(
        id: "sidecar~10.0.0.1~a.default~default.svc.cluster.local",
        cluster: "a.default",
        namespace: "default",
        labels: [:],
        addresses: ["10.0.0.1"],
        version: "1"
    )

    /// As an Envoy: asks for clusters and the workload's certificate until it has both.
    private func ask(socket: String) async throws -> [Response] {
        let transport = try HTTP2ClientTransport.Posix(
            target: .unixDomainSocket(path: socket, authority: "xds"),
            transportSecurity: .plaintext
        )
        return try await withGRPCClient(transport: transport) { grpc in
            let client = Service.Client(wrapping: grpc)
            // The socket is made while this begins.
            var options = CallOptions.defaults
            options.waitForReady = true
            options.timeout = .seconds(20)
            let (requests, continuation) = AsyncStream<Request>.makeStream()
            continuation.yield(.with { $0.typeURL = TypeURL.cluster })
            continuation.yield(
                .with {
                    $0.typeURL = TypeURL.secret
                    $0.resourceNames = [TLSSecret.ownCertificate]
                }
            )
            return try await client.streamAggregatedResources(options: options) { writer in
                for await request in requests { try await writer.write(request) }
            } onResponse: { response in
                defer { continuation.finish() }
                var received: [Response] = []
                for try await message in response.messages {
                    received.append(message)
                    if Set(received.map(\.typeURL)).count == 2 { break }
                }
                return received
            }
        }
    }

    @Test("An Envoy gets clusters from the control plane and its certificate from the agent, which says who it is")
    func relays() async throws {
        let control = ControlPlane()
        let server = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0),
            transportSecurity: .plaintext
        )
        let node = self.node
        try await withTemporaryDirectory { path in
            try await withGRPCServer(transport: server, services: [control]) { running in
                let port = try #require(try await running.transport.listeningAddress.ipv4?.port)
                let relay = EnvoyRelay(
                    node: node,
                    access: ControlPlaneAccess(host: "127.0.0.1", port: port),
                    socket: path + "/xds",
                    // Nothing is stored, and that is soon found out.
                    store: LastGoodStore(directory: path, node: node.id),
                    storeLimit: .zero,
                    names: { _ in },
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
                )
                relay.update([
                    TLSSecret.ownCertificate: .certificate(TLSCredential(certificateChain: [1], privateKey: [2]))
                ])
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await relay.run() }
                    let received = try await self.ask(socket: path + "/xds")
                    group.cancelAll()

                    let secret = try #require(received.first { $0.typeURL == TypeURL.secret }?.resources.first)
                    let message = try Envoy_Extensions_TransportSockets_Tls_V3_Secret(unpackingAny: secret)
                    #expect(message.name == "default")
                    #expect(Array(message.tlsCertificate.privateKey.inlineBytes) == [2])
                    #expect(received.first { $0.typeURL == TypeURL.cluster }?.versionInfo == "7")
                }
                let asked = control.asked.withLock { $0 }
                #expect(asked.first?.node.id == node.id)
                #expect(!asked.contains { $0.typeURL == TypeURL.secret })
            }
        }
    }
}
