import KubernetesAPI
import NIOCore
import NIOPosix

/// Asks a container whether it is well, once.
struct Prober: Sendable {
    let probe: Probe
    let address: String
    let ports: [String: Int]
    let eventLoops: any EventLoopGroup
    /// Runs a command in the container and gives its exit code.
    let execute: @Sendable ([String]) async throws -> Int32

    /// `nil` if all is well, else what was wrong, in the kubelet's words.
    func ask() async -> String? {
        let limit = Duration.seconds(max(1, self.probe.timeoutSeconds ?? 1))
        do {
            if let action = self.probe.httpGet { return try await self.get(action, limit) }
            if let action = self.probe.tcpSocket { return try await self.connect(action.host, action.port, limit) }
            if let action = self.probe.exec {
                let code = try await self.execute(action.command)
                return code == 0 ? nil : "command ended with exit code \(code)"
            }
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func port(_ port: IntOrString) throws -> Int {
        switch port {
        case .int(let number): return number
        case .string(let name):
            guard let number = self.ports[name] ?? Int(name) else {
                throw PlatformError("no port of the container is named \(name)")
            }
            return number
        }
    }

    private func bootstrap(_ limit: Duration) -> ClientBootstrap {
        ClientBootstrap(group: self.eventLoops).connectTimeout(TimeAmount(limit))
    }

    private func connect(_ host: String?, _ port: IntOrString, _ limit: Duration) async throws -> String? {
        let host = host ?? self.address
        let port = try self.port(port)
        do {
            let channel = try await self.bootstrap(limit).connect(host: host, port: port).get()
            channel.close(promise: nil)
            return nil
        } catch {
            return "dial tcp \(host):\(port): connection refused or timed out"
        }
    }

    private func get(_ action: Probe.HTTPGet, _ limit: Duration) async throws -> String? {
        let host = action.host ?? self.address
        let port = try self.port(action.port)
        let url = "http://\(host):\(port)\(action.path ?? "/")"
        if action.scheme == "HTTPS" {
            return try await self.connect(action.host, action.port, limit)
        }
        let answered = self.eventLoops.next().makePromise(of: Int.self)
        let channel: any Channel
        do {
            channel = try await self.bootstrap(limit)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(StatusReader(answered))
                    }
                }
                .connect(host: host, port: port).get()
        } catch {
            answered.fail(error)
            return "Get \"\(url)\": dial tcp \(host):\(port): connect: connection refused"
        }
        let deadline = channel.eventLoop.scheduleTask(in: TimeAmount(limit)) {
            answered.fail(ChannelError.connectTimeout(TimeAmount(limit)))
        }
        defer {
            deadline.cancel()
            channel.close(promise: nil)
        }
        let headers = action.httpHeaders.filter { $0.name.lowercased() != "host" }
            .map { "\($0.name): \($0.value)\r\n" }.joined()
        let name = action.httpHeaders.first { $0.name.lowercased() == "host" }?.value ?? "\(host):\(port)"
        let request =
            "GET \(action.path ?? "/") HTTP/1.1\r\nHost: \(name)\r\nUser-Agent: kube-probe/1.31\r\nAccept: */*\r\n"
            + "\(headers)Connection: close\r\n\r\n"
        channel.writeAndFlush(ByteBuffer(string: request), promise: nil)
        do {
            let status = try await answered.futureResult.get()
            return (200..<400).contains(status) ? nil : "HTTP probe failed with statuscode: \(status)"
        } catch {
            return "Get \"\(url)\": no answer within \(limit.components.seconds) s"
        }
    }
}

/// Reads the status code of an HTTP/1 response and nothing else.
private final class StatusReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let answered: EventLoopPromise<Int>
    private var head = ByteBuffer()

    init(_ answered: EventLoopPromise<Int>) { self.answered = answered }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        guard self.head.readableBytes < 64 else { return }
        self.head.writeBuffer(&bytes)
        // `HTTP/1.1 200`
        guard self.head.readableBytes >= 12 else { return }
        let line = String(decoding: self.head.readableBytesView.prefix(12), as: UTF8.self)
        if line.hasPrefix("HTTP/1."), let status = Int(line.suffix(3)) {
            self.answered.succeed(status)
        } else {
            self.answered.fail(ChannelError.inputClosed)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { self.answered.fail(ChannelError.inputClosed) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.answered.fail(error)
        context.close(promise: nil)
    }
}
