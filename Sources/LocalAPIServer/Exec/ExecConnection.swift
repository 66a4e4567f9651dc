import KubernetesAPI
import Logging
import NIOCore
import NIOWebSocket

/// Carries one `exec` or `attach` over a WebSocket, in the `v5.channel.k8s.io` or `v4.channel.k8s.io` protocol: the
/// first byte of each message names the stream.
struct ExecConnection: Sendable {
    typealias AsyncChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
    typealias Outbound = NIOAsyncChannelOutboundWriter<WebSocketFrame>

    /// Streams by their number on the wire.
    private enum Stream: UInt8 {
        case stdin = 0
        case stdout = 1
        case stderr = 2
        case error = 3
        case resize = 4
        /// Version 5 only: the second byte names the stream that ends.
        case close = 255
    }

    static let protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
    static let frameBytesMax = 1 << 20

    let request: PodExecRequest
    let backend: any PodBackend
    let logger: Logger

    func serve(_ channel: AsyncChannel) async {
        do {
            try await channel.executeThenClose { inbound, outbound in
                let session: any PodExecSession
                do {
                    session = try await self.backend.exec(self.request)
                } catch {
                    let message = (error as? PodBackendError)?.message ?? "\(error)"
                    try await self.finish(APIFailure.internalError(message).status, outbound)
                    return
                }
                await self.run(session, inbound, outbound)
                await session.terminate()
            }
        } catch {
            self.logger.debug("exec connection ended", metadata: ["error": "\(error)"])
        }
    }

    private func run(
        _ session: any PodExecSession,
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
        _ outbound: Outbound
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await self.receive(inbound, session, outbound)
                } catch {
                    self.logger.debug("exec client went away", metadata: ["error": "\(error)"])
                }
            }
            group.addTask {
                do {
                    try await self.sendOutput(session, outbound)
                } catch {
                    self.logger.debug("exec output ended", metadata: ["error": "\(error)"])
                }
            }
            // The client's going ends the process, the process's end ends the connection.
            await group.next()
            await session.terminate()
            group.cancelAll()
        }
    }

    private func receive(
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
        _ session: any PodExecSession,
        _ outbound: Outbound
    ) async throws {
        var current: Stream?
        for try await frame in inbound {
            switch frame.opcode {
            case .binary, .text, .continuation:
                var data = frame.unmaskedData
                if frame.opcode != .continuation {
                    guard let byte = data.readInteger(as: UInt8.self) else { continue }
                    current = Stream(rawValue: byte)
                }
                try await self.receive(data, current, session)
            case .ping:
                try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData))
            case .connectionClose: return
            default: ()
            }
        }
    }

    private func receive(_ data: ByteBuffer, _ stream: Stream?, _ session: any PodExecSession) async throws {
        switch stream {
        case .stdin where data.readableBytes > 0:
            do { try await session.write(data) } catch {
                // The process closed its input; what it still says must reach the client.
                self.logger.debug("exec input refused", metadata: ["error": "\(error)"])
            }
        case .close where data.readableBytesView.first == Stream.stdin.rawValue: await session.closeInput()
        case .resize:
            // A message that is no size is not worth ending a shell for.
            guard let size = try? JSONValue.parse(data.readableBytesView), let columns = size["Width"]?.int,
                let rows = size["Height"]?.int
            else { return }
            await session.resize(columns: columns, rows: rows)
        default: ()
        }
    }

    private func sendOutput(_ session: any PodExecSession, _ outbound: Outbound) async throws {
        for try await output in session.output {
            switch output {
            case .stdout(let bytes): try await self.send(.stdout, bytes, outbound)
            // With a terminal there is one stream; a client that did not ask for errors has no place for them.
            case .stderr(let bytes): try await self.send(self.request.stderr ? .stderr : .stdout, bytes, outbound)
            }
        }
        let code = try await session.exitStatus()
        try await self.finish(Self.status(exitCode: code), outbound)
    }

    private func send(_ stream: Stream, _ bytes: ByteBuffer, _ outbound: Outbound) async throws {
        var rest = bytes
        while let piece = rest.readSlice(length: min(rest.readableBytes, 32 << 10)), piece.readableBytes > 0 {
            var data = ByteBuffer()
            data.reserveCapacity(piece.readableBytes + 1)
            data.writeInteger(stream.rawValue)
            data.writeImmutableBuffer(piece)
            try await outbound.write(WebSocketFrame(fin: true, opcode: .binary, data: data))
        }
    }

    private func finish(_ status: JSONValue, _ outbound: Outbound) async throws {
        try await self.send(.error, ByteBuffer(bytes: status.serialize()), outbound)
        var close = ByteBuffer()
        close.write(webSocketErrorCode: .normalClosure)
        try await outbound.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: close))
    }

    private static func status(exitCode: Int32) -> JSONValue {
        if exitCode == 0 { return ["metadata": .object([:]), "status": "Success"] }
        return [
            "metadata": .object([:]), "status": "Failure", "reason": "NonZeroExitCode",
            "message": .string("command terminated with non-zero exit code: \(exitCode)"),
            "details": ["causes": [["reason": "ExitCode", "message": .string(String(exitCode))]]],
        ]
    }
}
