import CLocalPlatform
import Glibc

/// Why a tool of the machine did not do its work.
package struct ToolError: Error, CustomStringConvertible {
    package var command: [String]
    package var message: String

    package var description: String { "`\(self.command.joined(separator: " "))` failed: \(self.message)" }
}

/// Short-lived programs of the machine: `ip`, `iptables-restore`, `nft`…
///
/// Input and output are files in memory, so neither side ever waits for the other to read.
package enum Tool {
    /// Folders that are searched besides PATH: daemons and `ip` live in `sbin`, which not every root has on its PATH.
    package static let searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// Largest output that is kept.
    private static let outputBytesMax = 16 << 20

    /// Runs a program to its end.
    ///
    /// - Returns: what it wrote to standard output.
    /// - Throws: `SpawnError`, or `ToolError` with what it wrote to standard error.
    @discardableResult
    package static func run(_ command: [String], input: String = "", network: Int32 = -1) async throws -> String {
        let files = try (0..<3).map { _ in try Self.memoryFile() }
        defer { for file in files { close(file) } }
        Self.write(input, to: files[0])
        var request = SpawnRequest(command)
        request.environment = ["PATH": Self.searchPath, "LC_ALL": "C"]
        request.input = files[0]
        request.output = files[1]
        request.errors = files[2]
        request.network = network
        let status = await (try ChildProcess.spawn(request)).wait()
        let output = Self.read(files[1])
        guard status == .exited(0) else {
            let errors = Self.read(files[2]).split(separator: "\n").prefix(4).joined(separator: "; ")
            throw ToolError(command: command, message: errors.isEmpty ? "it ended with \(status.code)" : errors)
        }
        return output
    }

    /// Where a program is, or `nil`.
    package static func find(_ program: String, path: String? = nil) -> String? {
        if program.contains("/") { return access(program, X_OK) == 0 ? program : nil }
        let folders = (path ?? (getenv("PATH").map { String(cString: $0) + ":" } ?? "") + Self.searchPath)
        for folder in folders.split(separator: ":") {
            let candidate = "\(folder)/\(program)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        return nil
    }

    private static func memoryFile() throws -> Int32 {
        let file = lateen_memory_file("lateen-tool")
        guard file >= 0 else { throw SpawnError(program: "memfd", step: "open", errorNumber: errno) }
        return file
    }

    private static func write(_ text: String, to file: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            bytes = bytes.dropFirst(count)
        }
        lseek(file, 0, SEEK_SET)
    }

    private static func read(_ file: Int32) -> String {
        let size = min(Int(lseek(file, 0, SEEK_END)), Self.outputBytesMax)
        guard size > 0 else { return "" }
        lseek(file, 0, SEEK_SET)
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = max(0, Glibc.read(file, buffer.baseAddress, size))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
