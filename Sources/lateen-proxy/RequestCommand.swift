import ArgumentParser
import Foundation
import MeshModel
import NIOCore
import NIOPosix

/// Asks the admin interface of the proxy in the same pod.
struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Ask the local admin interface, for example `request GET /stats`."
    )

    @Argument(help: "GET or POST.")
    var method: String

    @Argument(help: "Path and query; a leading / may be left out.")
    var path: String

    @Option(help: "Port of the admin interface on 127.0.0.1.")
    var port = Int(MeshPorts.admin)

    func validate() throws {
        guard ["GET", "POST"].contains(self.method.uppercased()) else {
            throw ValidationError("\(self.method) is neither GET nor POST.")
        }
        guard self.path.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw ValidationError("The path has characters that must be percent-encoded.")
        }
    }

    func run() async throws {
        let answer = try await LocalAdmin(port: self.port).ask(self.method, self.path)
        FileHandle.standardOutput.write(Data(answer.body))
        if answer.status >= 400 { throw ExitCode(1) }
    }
}

/// The admin interface of the proxy in the same pod.
struct LocalAdmin {
    var port: Int

    /// Asks once.
    func ask(_ method: String, _ path: String) async throws -> (status: Int, body: [UInt8]) {
        let target = path.hasPrefix("/") ? path : "/" + path
        let head = "\(method.uppercased()) \(target) HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        let request = ByteBuffer(string: head + "content-length: 0\r\n\r\n")
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connectTimeout(.seconds(2))
                .connect(host: "127.0.0.1", port: self.port) { channel in
                    channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
                }
        } catch {
            throw StartError("nothing answers on 127.0.0.1:\(self.port); is the proxy running?")
        }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(request)
            var received: [UInt8] = []
            for try await part in inbound { received += part.readableBytesView }
            // The answer ends with the connection, and the admin interface never sends chunks.
            let separator = Array("\r\n\r\n".utf8)
            guard let end = received.firstRange(of: separator), received.count > 12,
                let status = Int(String(decoding: received[9..<12], as: UTF8.self))
            else { throw StartError("127.0.0.1:\(self.port) does not answer in HTTP.") }
            return (status, Array(received[end.upperBound...]))
        }
    }
}
