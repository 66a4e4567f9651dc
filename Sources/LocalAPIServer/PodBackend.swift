package import NIOCore

/// What `kubectl logs` asks for.
package struct PodLogRequest: Sendable, Hashable {
    package var namespace: String
    package var pod: String
    package var container: String
    /// Keeps the stream open for lines written later.
    package var follow = false
    /// The run before the last restart.
    package var previous = false
    /// Prefixes each line with its RFC 3339 time.
    package var timestamps = false
    package var tailLines: Int?
    package var sinceSeconds: Int?
    package var bytesMax: Int?

    package init(namespace: String, pod: String, container: String) {
        self.namespace = namespace
        self.pod = pod
        self.container = container
    }
}

/// What `kubectl exec` and `kubectl attach` ask for.
package struct PodExecRequest: Sendable, Hashable {
    package var namespace: String
    package var pod: String
    package var container: String
    /// Empty for `attach`.
    package var command: [String]
    package var isAttach: Bool
    package var stdin: Bool
    package var stdout: Bool
    package var stderr: Bool
    package var terminal: Bool

    package init(
        namespace: String,
        pod: String,
        container: String,
        command: [String],
        isAttach: Bool = false,
        stdin: Bool = false,
        stdout: Bool = true,
        stderr: Bool = true,
        terminal: Bool = false
    ) {
        self.namespace = namespace
        self.pod = pod
        self.container = container
        self.command = command
        self.isAttach = isAttach
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.terminal = terminal
    }
}

/// One piece of output of a process run by `exec`.
package enum PodExecOutput: Sendable {
    case stdout(ByteBuffer)
    case stderr(ByteBuffer)
}

/// A process started in a container on behalf of a client.
///
/// The server reads `output` to its end, then asks for `exitStatus()`. When the client goes away it calls
/// `terminate()`; that must be harmless after the process has ended.
package protocol PodExecSession: Sendable {
    /// Ends when both output streams of the process are closed.
    var output: AsyncThrowingStream<PodExecOutput, any Error> { get }
    /// Suspends while the process does not read its standard input.
    func write(_ bytes: ByteBuffer) async throws
    /// The process sees the end of its standard input.
    func closeInput() async
    /// The client's window changed; only meaningful with a terminal.
    func resize(columns: Int, rows: Int) async
    func exitStatus() async throws -> Int32
    func terminate() async
}

/// Why the backend could not serve; the message goes to the client as it is.
package struct PodBackendError: Error, Sendable {
    package enum Code: Sendable { case notFound, badRequest, unavailable }
    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// The pod runtime as the API server sees it: logs of containers and processes started in them.
package protocol PodBackend: Sendable {
    /// Chunks of the log; with `follow` the stream ends when the container does or the task is cancelled.
    func logs(_ request: PodLogRequest) async throws -> AsyncThrowingStream<ByteBuffer, any Error>
    func exec(_ request: PodExecRequest) async throws -> any PodExecSession
}

/// Stands in where no pods run.
package struct NoPodBackend: PodBackend {
    package init() {}

    package func logs(_ request: PodLogRequest) async throws -> AsyncThrowingStream<ByteBuffer, any Error> {
        throw PodBackendError(.unavailable, "no pod runtime is connected to this server")
    }

    package func exec(_ request: PodExecRequest) async throws -> any PodExecSession {
        throw PodBackendError(.unavailable, "no pod runtime is connected to this server")
    }
}
