import CLocalPlatform
import Foundation
import Glibc
import LocalAPIServer
import NIOCore
import NIOPosix
import Synchronization

/// Runs commands inside a running container, for `kubectl exec` and probes.
enum ContainerExec {
    /// The request that joins a container and has its user, rights, environment and folder.
    static func request(_ command: [String], in run: ContainerRun) throws -> SpawnRequest {
        guard run.firstProcess > 1, run.process.status == nil else {
            throw PodBackendError(.badRequest, "the container is not running")
        }
        var request = SpawnRequest(command)
        request.enter = run.firstProcess
        request.environment = run.environment
        request.folder = run.sandbox.folder
        request.user = run.sandbox.user
        request.group = run.sandbox.group
        request.extraGroup = run.sandbox.volumeGroup
        request.capabilities = run.sandbox.capabilities
        return request
    }

    /// Runs a command without input or output and gives its exit code; it is killed when `limit` is over.
    static func run(_ command: [String], in run: ContainerRun, limit: Duration) async throws -> Int32 {
        let process = try ChildProcess.spawn(try Self.request(command, in: run))
        return await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await Task.sleep(for: limit) } catch { return }
                process.signal(SIGKILL)
            }
            let status = await process.wait()
            group.cancelAll()
            return status.code
        }
    }

    /// Starts a command whose streams belong to a client.
    static func session(
        _ exec: PodExecRequest,
        in run: ContainerRun,
        eventLoops: any EventLoopGroup
    ) async throws -> ContainerExecSession {
        var request = try Self.request(exec.command, in: run)
        if exec.terminal, request.environment["TERM"] == nil { request.environment["TERM"] = "xterm" }
        do {
            return exec.terminal
                ? try await ContainerExecSession.terminal(request, eventLoops: eventLoops)
                : try await ContainerExecSession.pipes(request, wantsInput: exec.stdin, eventLoops: eventLoops)
        } catch let error as SpawnError {
            throw PodBackendError(
                .badRequest,
                "unable to start container process: exec: \"\(exec.command.first ?? "")\": "
                    + String(cString: strerror(error.errorNumber))
            )
        }
    }
}

/// A command in a container with a client at its other end.
final class ContainerExecSession: PodExecSession {
    let output: AsyncThrowingStream<PodExecOutput, any Error>
    private let process: ChildProcess
    private let input: (any Channel)?
    private let terminal: Mutex<Int32>
    private let isTerminal: Bool

    private init(
        process: ChildProcess,
        input: (any Channel)?,
        terminal: Int32,
        output: AsyncThrowingStream<PodExecOutput, any Error>
    ) {
        self.process = process
        self.input = input
        self.terminal = Mutex(terminal)
        self.isTerminal = terminal >= 0
        self.output = output
    }

    deinit {
        self.terminal.withLock { if $0 >= 0 { close($0) } }
    }

    static func pipes(
        _ request: SpawnRequest,
        wantsInput: Bool,
        eventLoops: any EventLoopGroup
    ) async throws -> ContainerExecSession {
        var request = request
        let input = wantsInput ? try Pipe() : nil
        let output = try Pipe()
        let errors = try Pipe()
        request.input = input?.read ?? -1
        request.output = output.write
        request.errors = errors.write
        let process: ChildProcess
        do {
            defer {
                for end in [input?.read, output.write, errors.write] { if let end { close(end) } }
            }
            process = try ChildProcess.spawn(request)
        } catch {
            for end in [input?.write, output.read, errors.read] { if let end { close(end) } }
            throw error
        }
        let queue = ExecOutputQueue(sources: 2)
        try await Self.listen(input: output.read, to: queue, isError: false, eventLoops)
        try await Self.listen(input: errors.read, to: queue, isError: true, eventLoops)
        var channel: (any Channel)?
        if let input {
            channel = try await NIOPipeBootstrap(group: eventLoops).takingOwnershipOfDescriptor(output: input.write)
                .get()
        }
        return ContainerExecSession(process: process, input: channel, terminal: -1, output: queue.stream)
    }

    static func terminal(_ request: SpawnRequest, eventLoops: any EventLoopGroup) async throws -> ContainerExecSession {
        var request = request
        var (primary, secondary): (Int32, Int32) = (-1, -1)
        let multiplexer = "/proc/\(request.enter)/root/dev/pts/ptmx"
        let failure = lateen_open_terminal(multiplexer, 24, 80, Int64(request.user ?? 0), &primary, &secondary)
        guard failure == 0 else { throw SpawnError(program: "terminal", step: "open", errorNumber: failure) }
        request.input = secondary
        request.output = secondary
        request.errors = secondary
        request.isTerminal = true
        let process: ChildProcess
        do {
            defer { close(secondary) }
            process = try ChildProcess.spawn(request)
        } catch {
            close(primary)
            throw error
        }
        let queue = ExecOutputQueue(sources: 1)
        let handler = ExecReader(queue: queue, isError: false)
        let channel = try await NIOPipeBootstrap(group: eventLoops)
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler) }
            }
            .takingOwnershipOfDescriptors(
                input: fcntl(primary, F_DUPFD_CLOEXEC, 3),
                output: fcntl(primary, F_DUPFD_CLOEXEC, 3)
            )
            .get()
        return ContainerExecSession(process: process, input: channel, terminal: primary, output: queue.stream)
    }

    private static func listen(
        input descriptor: Int32,
        to queue: ExecOutputQueue,
        isError: Bool,
        _ eventLoops: any EventLoopGroup
    ) async throws {
        let handler = ExecReader(queue: queue, isError: isError)
        _ = try await NIOPipeBootstrap(group: eventLoops)
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler) }
            }
            .takingOwnershipOfDescriptor(input: descriptor).get()
    }

    func write(_ bytes: ByteBuffer) async throws { try await self.input?.writeAndFlush(bytes) }

    func closeInput() async {
        if self.isTerminal {
            // End of transmission: the terminal turns it into the end of the input.
            try? await self.input?.writeAndFlush(ByteBuffer(bytes: [4]))
        } else {
            try? await self.input?.close()
        }
    }

    func resize(columns: Int, rows: Int) async {
        // A client without a window of its own says nought; programs would believe it.
        guard columns > 0, rows > 0 else { return }
        self.terminal.withLock { descriptor in
            guard descriptor >= 0 else { return }
            _ = lateen_resize_terminal(descriptor, Int32(clamping: rows), Int32(clamping: columns))
        }
    }

    func exitStatus() async throws -> Int32 { await self.process.wait().code }

    func terminate() async {
        self.process.signal(SIGKILL)
        try? await self.input?.close()
    }
}

/// Output on its way to a client. What waits is bounded: a reader reads on when the client has taken what is there.
private final class ExecOutputQueue: Sendable {
    private static let itemsMax = 16

    private struct State {
        var items: [PodExecOutput] = []
        var openSources: Int
        var paused: [any Channel] = []
        var waiting: CheckedContinuation<PodExecOutput?, Never>?
    }

    private let state: Mutex<State>

    init(sources: Int) { self.state = Mutex(State(openSources: sources)) }

    var stream: AsyncThrowingStream<PodExecOutput, any Error> { AsyncThrowingStream { await self.next() } }

    /// Returns whether the reader may read on.
    func put(_ item: PodExecOutput, from channel: any Channel) -> Bool {
        let (waiting, goesOn) = self.state.withLock { state in
            if let waiting = state.waiting {
                state.waiting = nil
                return (Optional(waiting), true)
            }
            state.items.append(item)
            if state.items.count < Self.itemsMax { return (nil, true) }
            state.paused.append(channel)
            return (nil, false)
        }
        waiting?.resume(returning: item)
        return goesOn
    }

    func sourceClosed() {
        let waiting = self.state.withLock { state in
            state.openSources -= 1
            guard state.openSources == 0 else { return CheckedContinuation<PodExecOutput?, Never>?.none }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: nil)
    }

    private func next() async -> PodExecOutput? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enum Step {
                    case give(PodExecOutput?, [any Channel])
                    case wait
                }
                let step = self.state.withLock { state -> Step in
                    if !state.items.isEmpty {
                        let item = state.items.removeFirst()
                        defer { if state.items.isEmpty { state.paused = [] } }
                        return .give(item, state.items.isEmpty ? state.paused : [])
                    }
                    if state.openSources == 0 || Task.isCancelled { return .give(nil, []) }
                    state.waiting = continuation
                    return .wait
                }
                if case .give(let item, let resumed) = step {
                    for channel in resumed { channel.read() }
                    continuation.resume(returning: item)
                }
            }
        } onCancel: {
            let waiting = self.state.withLock { state in
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume(returning: nil)
        }
    }
}

/// Reads one stream of a command, a piece at a time.
private final class ExecReader: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let queue: ExecOutputQueue
    private let isError: Bool

    init(queue: ExecOutputQueue, isError: Bool) {
        self.queue = queue
        self.isError = isError
    }

    func channelActive(context: ChannelHandlerContext) { context.read() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        if self.queue.put(self.isError ? .stderr(bytes) : .stdout(bytes), from: context.channel) { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) { self.queue.sourceClosed() }

    /// The read end of a terminal fails when its last writer has gone; that is its end.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
