internal import Foundation
internal import Glibc

/// The files of a workload's identity, as Istio names them. Others in the pod may read the certificates; the key is for
/// its owner alone.
package struct CertificateDirectory: Sendable, Hashable {
    /// The system refused to read or write.
    package struct FileError: Error, Sendable, CustomStringConvertible {
        package var path: String
        package var code: Int32
        package var description: String { "\(self.path): \(String(cString: strerror(self.code)))" }
    }

    package struct Content: Hashable, Sendable {
        package var chain: [UInt8]
        package var key: [UInt8]
        package var roots: [UInt8]

        package init(chain: [UInt8], key: [UInt8], roots: [UInt8]) {
            self.chain = chain
            self.key = key
            self.roots = roots
        }
    }

    /// A certificate has a few KiB.
    private static let bytesMax = 1 << 20

    package let path: String

    package init(path: String) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    package var chainFile: String { self.path + "/cert-chain.pem" }
    package var keyFile: String { self.path + "/key.pem" }
    package var rootFile: String { self.path + "/root-cert.pem" }

    /// What is there; `nil` if the chain or the key is missing.
    package func read() throws -> Content? {
        guard let chain = try Self.read(self.chainFile), let key = try Self.read(self.keyFile) else { return nil }
        return Content(chain: chain, key: key, roots: try Self.read(self.rootFile) ?? [])
    }

    /// Writes all three. A reader sees an old file or a new one, never a part; a chain that stands beside the key of
    /// another for a moment is told by comparing them.
    package func write(_ content: Content) throws {
        try self.make()
        try Self.write(content.roots, to: self.rootFile, mode: 0o644)
        try Self.write(content.key, to: self.keyFile, mode: 0o600)
        try Self.write(content.chain, to: self.chainFile, mode: 0o644)
    }

    private func make() throws {
        var path = ""
        for part in self.path.split(separator: "/") {
            path += (path.isEmpty && !self.path.hasPrefix("/") ? "" : "/") + part
            if mkdir(path, 0o755) != 0, errno != EEXIST, errno != EISDIR {
                throw FileError(path: path, code: errno)
            }
        }
    }

    /// A file's bytes; `nil` if there is none.
    package static func read(_ path: String) throws -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw FileError(path: path, code: errno)
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(path: path, code: errno) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= Self.bytesMax else { throw FileError(path: path, code: EFBIG) }
        }
    }

    /// Replaces a file in one step.
    private static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws {
        let temporary = "\(path).\(getpid()).new"
        unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard file >= 0 else { throw FileError(path: temporary, code: errno) }
        var failure: Int32 = 0
        var rest = bytes[...]
        while !rest.isEmpty, failure == 0 {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count >= 0 { rest = rest.dropFirst(count) } else if errno != EINTR { failure = errno }
        }
        if failure == 0, fchmod(file, mode) != 0 { failure = errno }
        if failure == 0, fsync(file) != 0 { failure = errno }
        close(file)
        if failure == 0, rename(temporary, path) != 0 { failure = errno }
        guard failure == 0 else {
            unlink(temporary)
            throw FileError(path: path, code: failure)
        }
    }
}
