import Activator
import KubernetesAPI
import Logging
import MeshModel
import NIOCore
import NIOPosix
import ProxyRuntime
import Serverless
import Testing
import TrafficEngine

/// The state that objects make, in a proxy with sockets.
@Suite struct ActivatorProxyTests {
    private static let loopback = IPAddress.v4(0x7F00_0001)

    /// A pod's program: says the same to whoever says something.
    private final class Program: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
            context.writeAndFlush(self.wrapOutboundOut(answer), promise: nil)
        }
    }

    private final class Client: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        let (texts, text) = AsyncStream<String>.makeStream()

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.text.yield(String(buffer: self.unwrapInboundIn(data)))
        }

        func channelInactive(context: ChannelHandlerContext) { self.text.finish() }

        /// All that came up to these words, or to the end of the connection.
        func received(upTo words: String) async -> String {
            var all = ""
            for await text in self.texts {
                all += text
                if all.contains(words) { break }
            }
            return all
        }
    }

    private func client(of proxy: ProxyRuntime, says text: String) async throws -> Client {
        let address = try #require(proxy.boundAddresses()["activator"])
        let client = Client()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in channel.pipeline.addHandler(client) }
            .connect(host: "127.0.0.1", port: Int(address.port)).get()
        try await channel.writeAndFlush(ByteBuffer(string: text))
        return client
    }

    private func run(_ body: (ProxyRuntime) async throws -> Void) async throws {
        let proxy = ProxyRuntime(
            options: ProxyRuntimeOptions(concurrency: 2),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await proxy.start()
        do {
            try await body(proxy)
        } catch {
            await proxy.stop()
            throw error
        }
        await proxy.stop()
    }

    private func pod(port: Int) -> KubernetesObject {
        var object = KubernetesObject(.pods, namespace: "default", name: "pod")
        object.labels = ["serving.knative.dev/revision": "hello-00001"]
        object.json["spec"] = [
            "containers": [["name": "main", "ports": [["name": "user-port", "containerPort": JSONValue(port)]]]]
        ]
        object.json["status"] = ["podIP": "127.0.0.1"]
        return object
    }

    private var revision: KubernetesObject {
        var object = KubernetesObject(.podAutoscalers, namespace: "default", name: "hello-00001")
        object.json["spec"] = ["scaleTargetRef": ["kind": "Deployment", "name": "hello-00001-deployment"]]
        return object
    }

    @Test(
        "A request waits for its revision, and has a pod that is not called ready yet answer it",
        .timeLimit(.minutes(1))
    )
    func waits() async throws {
        let program = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in channel.pipeline.addHandler(Program()) }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(program.localAddress?.port)
        try await self.run { proxy in
            var objects = ActivatorObjects(address: NetworkAddress(ip: Self.loopback, port: 0))
            _ = objects.revisionsChanged(.replacedAll([self.revision]))
            _ = (objects.read(.revisions), objects.read(.pods))
            #expect(await proxy.apply(objects.state()).isEmpty)
            let client = try await self.client(
                of: proxy,
                says: "GET / HTTP/1.1\r\nHost: hello.default\r\nKnative-Serving-Namespace: default\r\n"
                    + "Knative-Serving-Revision: hello-00001\r\nx-lateen-activation-ms: tell\r\n\r\n"
            )
            while await proxy.statistics().activations["default/hello-00001"]?.waiting != 1 { await Task.yield() }

            #expect(objects.podsChanged(.added(self.pod(port: port))) == true)
            #expect(await proxy.apply(objects.state()).isEmpty)

            let answer = await client.received(upTo: "hello")
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(answer.contains("x-lateen-activation-ms: "))
        }
        try await program.close()
    }

    @Test("A revision that is deleted while a request waits ends the wait", .timeLimit(.minutes(1)))
    func deleted() async throws {
        try await self.run { proxy in
            var objects = ActivatorObjects(address: NetworkAddress(ip: Self.loopback, port: 0))
            _ = objects.revisionsChanged(.replacedAll([self.revision]))
            _ = (objects.read(.revisions), objects.read(.pods))
            #expect(await proxy.apply(objects.state()).isEmpty)
            let request =
                "GET / HTTP/1.1\r\nHost: hello.default\r\nKnative-Serving-Namespace: default\r\n"
                + "Knative-Serving-Revision: hello-00001\r\n\r\n"
            let client = try await self.client(of: proxy, says: request)
            while await proxy.statistics().activations["default/hello-00001"]?.waiting != 1 { await Task.yield() }

            #expect(objects.revisionsChanged(.deleted(self.revision)) == true)
            #expect(await proxy.apply(objects.state()).isEmpty)

            #expect(await client.received(upTo: "no healthy endpoint").hasPrefix("HTTP/1.1 503"))
            let next = try await self.client(of: proxy, says: request)
            #expect(await next.received(upTo: "no revision of the name").hasPrefix("HTTP/1.1 404"))
        }
    }

    @Test("Kubernetes hears that the activator is ready once all objects have been read", .timeLimit(.minutes(1)))
    func health() async throws {
        try await self.run { proxy in
            var objects = ActivatorObjects(address: NetworkAddress(ip: Self.loopback, port: 0))
            for (status, kinds) in [(503, []), (200, ActivatorObjects.Kind.allCases)] {
                for kind in kinds { _ = objects.read(kind) }
                #expect(await proxy.apply(objects.state()).isEmpty)
                let client = try await self.client(
                    of: proxy,
                    says: "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: kube-probe/1.34\r\n\r\n"
                )
                #expect(await client.received(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 \(status)"))
            }
        }
    }
}
