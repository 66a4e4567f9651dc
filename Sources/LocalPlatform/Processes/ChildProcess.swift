import CLocalPlatform
import Glibc
import Synchronization

/// How a child ended.
package enum ExitStatus: Sendable, Hashable {
    case exited(Int32)
    case killed(signal: Int32)

    /// The number a shell would show: the code, or 128 and the signal.
    package var code: Int32 {
        switch self {
        case .exited(let code): code
        case .killed(let signal): 128 + signal
        }
    }
}

/// Why a program could not be started.
package struct SpawnError: Error, CustomStringConvertible {
    package var program: String
    package var step: String
    package var errorNumber: Int32

    package var description: String {
        "cannot start \(self.program): cannot \(self.step): \(String(cString: strerror(self.errorNumber)))"
    }
}

/// What to start; see `lateen_spawn_request`, whose fields these are.
package struct SpawnRequest: Sendable {
    package var arguments: [String]
    package var environment: [String: String] = [:]
    package var folder: String?
    package var input: Int32 = -1
    package var output: Int32 = -1
    package var errors: Int32 = -1
    package var extra: Int32 = -1
    package var network: Int32 = -1
    package var enter: Int32 = 0
    package var isTerminal = false
    package var diesWithParent = true
    package var user: Int?
    package var group: Int?
    package var extraGroup: Int?
    package var capabilities: Set<Capability>?

    package init(_ arguments: [String]) { self.arguments = arguments }
}

/// A started child. Its end is waited for by pid alone, so a pid is never signalled after it was reaped.
package final class ChildProcess: Sendable {
    package let pid: Int32
    private let end: EndOfChild

    private init(pid: Int32, end: EndOfChild) {
        self.pid = pid
        self.end = end
    }

    /// Starts a program; returns when it runs or has failed to.
    package static func spawn(_ request: SpawnRequest) throws -> ChildProcess {
        let end = EndOfChild()
        let context = Unmanaged.passRetained(end)
        var pid: pid_t = 0
        var stage: UnsafePointer<CChar>?
        let failure = withCStrings(request.arguments) { arguments in
            withCStrings(request.environment.map { "\($0)=\($1)" }) { environment in
                withOptionalCString(request.folder) { folder in
                    // `arguments` holds at least the program's name and its terminator.
                    guard let program = arguments[0] else { return ENOENT }
                    var raw = lateen_spawn_request(
                        program: program,
                        arguments: arguments,
                        environment: environment,
                        folder: folder,
                        input: request.input,
                        output: request.output,
                        errors: request.errors,
                        extra: request.extra,
                        network: request.network,
                        enter: request.enter,
                        terminal: request.isTerminal ? 1 : 0,
                        dies_with_parent: request.diesWithParent ? 1 : 0,
                        user: request.user.map(Int64.init) ?? -1,
                        group: request.group.map(Int64.init) ?? -1,
                        extra_group: request.extraGroup.map(Int64.init) ?? -1,
                        restricts: request.capabilities == nil ? 0 : 1,
                        capabilities: Capability.mask(request.capabilities ?? [])
                    )
                    return lateen_spawn(&raw, childEnded, context.toOpaque(), &pid, &stage)
                }
            }
        }
        guard failure == 0 else {
            context.release()
            throw SpawnError(
                program: request.arguments.first ?? "",
                step: stage.map { String(cString: $0) } ?? "start",
                errorNumber: failure
            )
        }
        return ChildProcess(pid: pid, end: end)
    }

    /// Suspends until the child has ended; any number of callers get the same answer.
    package func wait() async -> ExitStatus { await self.end.wait() }

    /// How it ended, or `nil` while it runs.
    package var status: ExitStatus? { self.end.status }

    /// Sends a signal unless the child has been reaped.
    package func signal(_ number: Int32) {
        guard self.end.status == nil else { return }
        _ = kill(self.pid, number)
    }
}

/// Called from the reaper's thread with the retained `EndOfChild`.
private func childEnded(context: UnsafeMutableRawPointer?, code: Int32, status: Int32) {
    guard let context else { return }
    let end = Unmanaged<EndOfChild>.fromOpaque(context).takeRetainedValue()
    end.ended(code == CLD_EXITED ? .exited(status) : .killed(signal: status))
}

/// The end of a child as a value that arrives once.
private final class EndOfChild: Sendable {
    private struct State {
        var status: ExitStatus?
        var waiting: [CheckedContinuation<ExitStatus, Never>] = []
    }

    private let state = Mutex(State())

    var status: ExitStatus? { self.state.withLock { $0.status } }

    func wait() async -> ExitStatus {
        await withCheckedContinuation { continuation in
            let known = self.state.withLock { state in
                if state.status == nil { state.waiting.append(continuation) }
                return state.status
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    func ended(_ status: ExitStatus) {
        let waiting = self.state.withLock { state in
            state.status = status
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: status) }
    }
}

/// Calls `body` with a NULL-terminated array of C strings.
func withCStrings<R>(_ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R) -> R {
    var pointers = strings.map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { buffer in
        // The array holds at least its terminator, so it has a base address.
        buffer.baseAddress.map(body) ?? body(UnsafeMutablePointer.allocate(capacity: 1))
    }
}

private func withOptionalCString<R>(_ string: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
    if let string { string.withCString(body) } else { body(nil) }
}
