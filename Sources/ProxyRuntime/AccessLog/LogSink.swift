internal import NIOPosix
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A file that lines are appended to, shared by all loops and written by a thread of its own, so that a full pipe or
/// a slow disk never holds up a loop.
final class LogFile: Sendable {
    /// Bytes that may wait for the thread; what comes on top is dropped and counted.
    static let waitingBytesMax = 4 << 20

    let path: String
    private let descriptor: Int32
    private let ownsDescriptor: Bool
    private let pool: NIOThreadPool
    private let waiting = Atomic<Int>(0)

    /// What keeps a log file from being written.
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    init(path: String, pool: NIOThreadPool) throws {
        self.path = path
        self.pool = pool
        switch path {
        case "/dev/stdout", "/dev/fd/1":
            self.descriptor = STDOUT_FILENO
            self.ownsDescriptor = false
        case "/dev/stderr", "/dev/fd/2":
            self.descriptor = STDERR_FILENO
            self.ownsDescriptor = false
        default:
            self.descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
            self.ownsDescriptor = true
            if self.descriptor < 0 {
                throw Fault(description: "cannot open access log \(path): \(String(cString: strerror(errno)))")
            }
        }
    }

    deinit {
        if self.ownsDescriptor, self.descriptor >= 0 { close(self.descriptor) }
    }

    /// Hands lines to the thread; `false`: there is too much waiting already.
    func write(_ lines: [UInt8]) -> Bool {
        guard self.waiting.load(ordering: .relaxed) + lines.count <= Self.waitingBytesMax else { return false }
        self.waiting.add(lines.count, ordering: .relaxed)
        self.pool.submit { _ in
            // Also what the pool has not begun when it is told to end: the last requests of a proxy are in there.
            self.writeAll(lines)
            self.waiting.subtract(lines.count, ordering: .relaxed)
        }
        return true
    }

    private func writeAll(_ lines: [UInt8]) {
        lines.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress {
                #if canImport(Glibc)
                let count = Glibc.write(self.descriptor, start, rest.count)
                #else
                let count = Darwin.write(self.descriptor, start, rest.count)
                #endif
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if count < 0, errno == EINTR {
                    continue
                } else if count < 0, errno == EAGAIN {
                    // Somebody made the descriptor non-blocking; this thread may wait.
                    var poll = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
                    if waitForRoom(&poll, 1, 1000) <= 0 { return }
                } else {
                    return
                }
                if rest.isEmpty { return }
            }
        }
    }
}

/// `poll` by a name that does not clash with the variable of that type's usual name.
private func waitForRoom(_ descriptors: UnsafeMutablePointer<pollfd>, _ count: Int, _ milliseconds: Int32) -> Int32 {
    poll(descriptors, nfds_t(count), milliseconds)
}

/// The lines of one loop on their way to a file.
final class LogSink {
    private static let flushBytes = 32 * 1024

    private let file: LogFile
    private var lines: [UInt8] = []
    private var lineCount = 0
    private(set) var linesDropped: UInt64 = 0

    init(_ file: LogFile) { self.file = file }

    /// Adds one line.
    func append(_ write: (inout [UInt8]) -> Void) {
        write(&self.lines)
        self.lineCount += 1
        if self.lines.count >= Self.flushBytes { self.flush() }
    }

    func flush() {
        guard !self.lines.isEmpty else { return }
        if !self.file.write(self.lines) { self.linesDropped += UInt64(self.lineCount) }
        // The thread keeps the old storage until it is written, so a fresh one begins.
        self.lines = []
        self.lineCount = 0
    }
}

/// One configured log on one loop.
final class AccessLog {
    let format: LogFormat
    let sink: LogSink

    init(format: LogFormat, sink: LogSink) {
        self.format = format
        self.sink = sink
    }
}
