import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes small files so that a reader sees the old or the new content, never half of one, and a crash loses neither.
enum PrivateFiles {
    static func makeFolder(_ folder: URL, mode: Int = 0o700) throws {
        do {
            try FileManager.default.createDirectory(
                at: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: mode]
            )
        } catch {
            throw APIServerError(
                "cannot create folder \(folder.path): \(error.localizedDescription); run as root or set LATEEN_HOME",
                cause: error
            )
        }
    }

    static func write(_ text: String, to file: URL, mode: mode_t) throws {
        let temporary = file.path + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            throw APIServerError(
                "cannot write \(file.path): \(String(cString: strerror(errno))); check its folder's owner"
            )
        }
        defer { close(descriptor) }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else {
                throw APIServerError(
                    "cannot write \(file.path): \(String(cString: strerror(errno))); is the disk full?"
                )
            }
            bytes = bytes.dropFirst(written)
        }
        guard fsync(descriptor) == 0, rename(temporary, file.path) == 0 else {
            throw APIServerError("cannot replace \(file.path): \(String(cString: strerror(errno)))")
        }
    }

    /// The file's text, or `nil` if there is no such file.
    static func read(_ file: URL) throws -> String? {
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        return try String(contentsOf: file, encoding: .utf8)
    }
}
