internal import Foundation
internal import NIOCore
package import NIOPosix

/// Checks a workload again and again, and tells when its health changes.
package struct HealthProber: Sendable {
    private let check: HealthCheck
    /// Where the workload is, unless the check says it.
    private let address: String
    /// Where connections to it come from; `nil`: wherever the system says.
    private let source: String?
    private let group: MultiThreadedEventLoopGroup

    /// More of an answer than its first line does not matter.
    private static let answerBytesMax = 4096

    /// - Parameters:
    ///   - check: what to do.
    ///   - address: the machine's own.
    ///   - source: a loopback address that interception lets pass to the machine itself; without it a check would
    ///     come in by the proxy, as if from elsewhere.
    ///   - group: carries the connections.
    package init(
        _ check: HealthCheck,
        address: String,
        source: String? = nil,
        group: MultiThreadedEventLoopGroup
    ) {
        self.check = check
        self.address = address
        self.source = source
        self.group = group
    }

    /// Runs until cancelled.
    ///
    /// - Parameter report: is told of each change: what is wrong, or `nil`.
    package func run(_ report: @Sendable (_ problem: String?) -> Void) async {
        var machine = HealthMachine(self.check)
        do {
            try await Task.sleep(for: self.check.initialDelay)
            while true {
                switch machine.answered(try await self.once()) {
                case .nothing: ()
                case .becameHealthy: report(nil)
                case .becameUnhealthy(let problem): report(problem)
                }
                try await Task.sleep(for: self.check.period)
            }
        } catch {
            return  // cancelled
        }
    }

    /// Checks once; returns what is wrong.
    package func once() async throws -> String? {
        let timeout = self.check.timeout
        return try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask { try await self.answer() }
            group.addTask {
                try await Task.sleep(for: timeout)
                return "no answer within \(timeout)"
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    private func answer() async throws -> String? {
        switch self.check.method {
        case .tcp(let host, let port):
            return try await self.connected(host, port) { _, _ in nil }
        case .http(let host, let port, let path, let headers):
            var head = "GET \(path) HTTP/1.1\r\n"
            if !headers.contains(where: { $0.name.lowercased() == "host" }) {
                head += "host: \(host ?? self.address):\(port)\r\n"
            }
            for header in headers { head += "\(header.name): \(header.value)\r\n" }
            let request = ByteBuffer(string: head + "user-agent: lateen-probe\r\nconnection: close\r\n\r\n")
            return try await self.connected(host, port) { inbound, outbound in
                try await outbound.write(request)
                return try await Self.judge(inbound)
            }
        case .program(let words): return try await Self.run(words)
        }
    }

    private func connected(
        _ host: String?,
        _ port: Int,
        _ body:
            @escaping @Sendable (
                NIOAsyncChannelInboundStream<ByteBuffer>,
                NIOAsyncChannelOutboundWriter<ByteBuffer>
            ) async throws -> String?
    ) async throws -> String? {
        let source = host == nil ? self.source : nil
        let host = host ?? self.address
        do {
            var bootstrap = ClientBootstrap(group: self.group).connectTimeout(TimeAmount(self.check.timeout))
            if let source { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: source, port: 0)) }
            let channel =
                try await bootstrap
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            return try await channel.executeThenClose(body)
        } catch {
            try Task.checkCancellation()
            return "\(host):\(port): \(Self.words(error))"
        }
    }

    /// What a person wants to know of a connection that failed.
    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { Self.words($0.error) } ?? "\(error.host) has no address"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case ChannelError.connectTimeout: "no connection in time"
        default: "\(error)"
        }
    }

    private static func judge(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>) async throws -> String? {
        var received: [UInt8] = []
        for try await part in inbound {
            received += part.readableBytesView.prefix(self.answerBytesMax)
            if received.contains(UInt8(ascii: "\n")) || received.count >= self.answerBytesMax { break }
        }
        let line = received.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count >= 2, words[0].starts(with: Array("HTTP/1.".utf8)),
            let status = Int(String(decoding: words[1], as: UTF8.self))
        else { return "the answer is no HTTP" }
        return (200..<400).contains(status) ? nil : "the answer is \(status)"
    }

    private static func run(_ words: [String]) async throws -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let (ends, end) = AsyncStream.makeStream(of: Int32.self)
        process.terminationHandler = { end.yield($0.terminationStatus) }
        do { try process.run() } catch { return "\(words[0]) cannot be started: \(error.localizedDescription)" }
        let box = ProcessBox(process: process)
        let status = await withTaskCancellationHandler {
            await ends.first { _ in true }
        } onCancel: {
            box.process.terminate()
        }
        guard let status else { throw CancellationError() }
        return status == 0 ? nil : "\(words[0]) ended with status \(status)"
    }
}

/// A process that may be ended from any thread.
private struct ProcessBox: @unchecked Sendable {  // `terminate` sends a signal, which is safe from everywhere
    let process: Process
}
