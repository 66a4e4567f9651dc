import CLocalPlatform
import Foundation
import Glibc
import NIOCore
import NIOPosix

/// One run of a container: its processes, its log, and what `exec` needs to join it.
package final class ContainerRun: Sendable {
    let process: ChildProcess
    let log: ContainerLog
    /// The first process of the sandbox, as seen from the host; its namespaces are the container's.
    let firstProcess: Int32
    let environment: [String: String]
    let sandbox: Sandbox
    let started: ContinuousClock.Instant

    private init(
        process: ChildProcess,
        log: ContainerLog,
        firstProcess: Int32,
        environment: [String: String],
        sandbox: Sandbox
    ) {
        self.process = process
        self.log = log
        self.firstProcess = firstProcess
        self.environment = environment
        self.sandbox = sandbox
        self.started = .now
    }

    /// Starts a container in the pod's network namespace.
    static func start(
        _ sandbox: Sandbox,
        environment: [String: String],
        link: PodLink,
        log: ContainerLog,
        services: NodeServices
    ) async throws -> ContainerRun {
        var request = SpawnRequest(
            sandbox.arguments(runtimeFolders: services.runtimeFolders, rootLinks: services.rootLinks)
        )
        request.environment = environment
        let network = try link.open()
        defer { close(network) }
        let output = try Pipe()
        let errors = try Pipe()
        let info = try Pipe()
        // A program may open /dev/stdout by name (Envoy does): it is to be its own, as under any container runtime.
        for pipe in [output, errors] { fchown(pipe.write, uid_t(sandbox.user), gid_t(sandbox.group)) }
        request.network = network
        request.output = output.write
        request.errors = errors.write
        request.extra = info.write
        let process: ChildProcess
        do {
            defer { for pipe in [output, errors, info] { close(pipe.write) } }
            process = try ChildProcess.spawn(request)
        } catch {
            for pipe in [output, errors, info] { close(pipe.read) }
            throw error
        }
        try await Self.pump(output.read, .stdout, log, services.eventLoops)
        try await Self.pump(errors.read, .stderr, log, services.eventLoops)
        let text = await Self.readAll(info.read)
        let first = Self.firstProcess(inInfo: text)
        return ContainerRun(
            process: process,
            log: log,
            firstProcess: first ?? 0,
            environment: environment,
            sandbox: sandbox
        )
    }

    /// Asks the container's program to end. The sandbox's own first process ignores this signal, so its child is told.
    func terminate() {
        for pid in Self.children(of: self.firstProcess).prefix(1) where self.process.status == nil {
            kill(pid, SIGTERM)
        }
    }

    /// Ends everything in the container: when its first process dies, the kernel kills the rest.
    func kill9() {
        guard self.process.status == nil else { return }
        if self.firstProcess > 1 { kill(self.firstProcess, SIGKILL) }
        self.process.signal(SIGKILL)
    }

    package static func firstProcess(inInfo text: String) -> Int32? {
        guard let start = text.range(of: "\"child-pid\":") else { return nil }
        return Int32(text[start.upperBound...].drop { $0 == " " }.prefix { $0.isNumber })
    }

    static func children(of pid: Int32) -> [Int32] {
        guard pid > 1,
            let text = ProcFile.read("/proc/\(pid)/task/\(pid)/children")
        else { return [] }
        return text.split(separator: " ").compactMap { Int32($0) }
    }

    private static func pump(
        _ descriptor: Int32,
        _ stream: ContainerLog.Stream,
        _ log: ContainerLog,
        _ group: any EventLoopGroup
    ) async throws {
        do {
            _ = try await NIOPipeBootstrap(group: group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(LogPump(log: log, stream: stream))
                    }
                }
                .takingOwnershipOfDescriptor(input: descriptor).get()
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Reads a few bytes that come at once or not at all, away from the threads that must not wait.
    private static func readAll(_ descriptor: Int32) async -> String {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var bytes: [UInt8] = []
                var chunk = [UInt8](repeating: 0, count: 1024)
                while bytes.count < 4096 {
                    let count = read(descriptor, &chunk, chunk.count)
                    if count <= 0 { break }
                    bytes += chunk[..<count]
                    // The write end also lives in the sandbox until its set-up is over; the document is enough.
                    if bytes.contains(UInt8(ascii: "}")) { break }
                }
                close(descriptor)
                continuation.resume(returning: String(decoding: bytes, as: UTF8.self))
            }
        }
    }
}

/// Writes what a container prints into its log.
private final class LogPump: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let log: ContainerLog
    private let stream: ContainerLog.Stream

    init(log: ContainerLog, stream: ContainerLog.Stream) {
        self.log = log
        self.stream = stream
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.log.append(self.unwrapInboundIn(data).readableBytesView, stream: self.stream)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
