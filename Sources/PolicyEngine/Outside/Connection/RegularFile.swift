internal import Glibc

/// Reads files whose names stand in objects: somebody else's words, so that they may name anything.
///
/// A FIFO would keep a thread for good, a device may have no end. Only what is a file, and no larger than it should
/// be, is read. The calls block for as long as the disk takes, so they are for threads that may.
package enum RegularFile {
    /// Why a file is not read.
    package struct Mistake: Error, Sendable, Hashable, CustomStringConvertible {
        package var description: String
    }

    package static func bytes(at path: String, bytesMax: Int) throws(Mistake) -> [UInt8] {
        // Without `O_NONBLOCK` the opening of a FIFO waits for somebody who writes.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw Self.mistake(path, Self.reason) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.mistake(path, Self.reason) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Self.mistake(path, "it is no regular file") }
        guard status.st_size <= bytesMax else { throw Self.mistake(path, "it has more than \(bytesMax) bytes") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.mistake(path, Self.reason) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            // It may have grown since it was looked at.
            guard bytes.count <= bytesMax else { throw Self.mistake(path, "it has more than \(bytesMax) bytes") }
        }
    }

    private static var reason: String { String(cString: strerror(errno)) }

    private static func mistake(_ path: String, _ reason: String) -> Mistake {
        Mistake(description: "\(path) cannot be read: \(reason)")
    }
}
