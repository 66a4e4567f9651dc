import Foundation
import LocalAPIServer
import Logging
import NIOCore

/// A server on a free port with its state in a temporary folder, for the time of one test.
struct RunningServer: Sendable {
    let folder: URL
    let port: Int

    var kubeconfig: String { self.folder.appendingPathComponent("kubeconfig").path }

    static func run(
        backend: any PodBackend = NoPodBackend(),
        _ body: @Sendable (RunningServer) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lateen-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        var logger = Logger(label: "test")
        logger.logLevel = .error
        let server = LocalAPIServer(
            configuration: APIServerConfiguration(stateFolder: folder, port: 0),
            backend: backend,
            logger: logger
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            let port = try await server.waitUntilReady()
            try await body(RunningServer(folder: folder, port: port))
            group.cancelAll()
        }
    }

    /// Where the real kubectl is, if it is installed.
    static let kubectlPath = ["/usr/local/bin/kubectl", "/usr/bin/kubectl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    struct Output: Sendable {
        var status: Int32
        var text: String
        var errors: String
    }

    /// Runs the real kubectl against this server.
    func kubectl(_ arguments: String..., input: String = "") async throws -> Output {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.kubectlPath ?? "/usr/bin/kubectl")
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment["KUBECONFIG"] = self.kubeconfig
        environment["HOME"] = self.folder.path
        process.environment = environment
        let output = self.folder.appendingPathComponent("out-\(UUID().uuidString)")
        let errors = self.folder.appendingPathComponent("err-\(UUID().uuidString)")
        let source = self.folder.appendingPathComponent("in-\(UUID().uuidString)")
        try Data(input.utf8).write(to: source)
        for file in [output, errors] { try Data().write(to: file) }
        process.standardInput = try FileHandle(forReadingFrom: source)
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        let status: Int32 = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        return Output(
            status: status,
            text: try String(contentsOf: output, encoding: .utf8),
            errors: try String(contentsOf: errors, encoding: .utf8)
        )
    }
}

/// Answers log and exec requests with what was asked.
struct ScriptedBackend: PodBackend {
    struct Session: PodExecSession {
        let output: AsyncThrowingStream<PodExecOutput, any Error>
        let feed: AsyncThrowingStream<PodExecOutput, any Error>.Continuation
        let status: Int32

        /// Echoes its input until it ends.
        func write(_ bytes: ByteBuffer) async throws { self.feed.yield(.stdout(bytes)) }
        func closeInput() async { self.feed.finish() }
        func resize(columns: Int, rows: Int) async {}
        func exitStatus() async throws -> Int32 { self.status }
        func terminate() async { self.feed.finish() }
    }

    func logs(_ request: PodLogRequest) async throws -> AsyncThrowingStream<ByteBuffer, any Error> {
        if request.previous { throw PodBackendError(.badRequest, "previous terminated container not found") }
        let (stream, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        feed.yield(ByteBuffer(string: "\(request.container) tail=\(request.tailLines ?? -1)\n"))
        feed.finish()
        return stream
    }

    func exec(_ request: PodExecRequest) async throws -> any PodExecSession {
        let (stream, feed) = AsyncThrowingStream<PodExecOutput, any Error>.makeStream()
        switch request.command.first {
        case "cat":
            return Session(output: stream, feed: feed, status: 0)
        case "fail":
            feed.yield(.stderr(ByteBuffer(string: "no\n")))
            feed.finish()
            return Session(output: stream, feed: feed, status: 3)
        default:
            feed.yield(.stdout(ByteBuffer(string: request.command.joined(separator: " ") + "\n")))
            feed.finish()
            return Session(output: stream, feed: feed, status: 0)
        }
    }
}
