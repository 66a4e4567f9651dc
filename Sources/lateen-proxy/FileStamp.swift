import Glibc

/// By what one sees that a file was changed or replaced, without reading it.
struct FileStamp: Hashable, Sendable {
    private let path: String
    private var device: UInt64 = 0
    private var node: UInt64 = 0
    private var size: Int64 = -1
    private var modified: [Int] = []
    /// Why there is nothing to be read; 0: there is.
    private var error: Int32 = 0
    /// Changes from one look to the next while the file is so new that another change may have the same time.
    private var look = 0

    var isMissing: Bool { self.error != 0 }

    /// Looks at the file, or at what a symbolic link leads to.
    init(_ path: String) {
        self.path = path
        var found = stat()
        guard stat(path, &found) == 0 else {
            self.error = errno
            return
        }
        self.device = UInt64(found.st_dev)
        self.node = UInt64(found.st_ino)
        self.size = Int64(found.st_size)
        self.modified = [found.st_mtim.tv_sec, found.st_mtim.tv_nsec]
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let age = (now.tv_sec - found.st_mtim.tv_sec) * 1000 + (now.tv_nsec - found.st_mtim.tv_nsec) / 1_000_000
        // Times of files tick with the kernel's clock, every 10 ms at most.
        if (0..<20).contains(age) { self.look = Int(now.tv_nsec) }
    }

    /// What cannot be read and why.
    struct ReadError: Error, CustomStringConvertible {
        var description: String
    }

    /// Larger files are no name tables: a host takes about a hundred bytes.
    private static let bytesMax = 256 << 20

    /// The whole file.
    func content() throws(ReadError) -> [UInt8] {
        guard self.error == 0 else { throw ReadError(description: "cannot read the file: \(reason(self.error))") }
        guard self.size <= Self.bytesMax else {
            throw ReadError(description: "the file is over \(Self.bytesMax) bytes")
        }
        guard let file = fopen(self.path, "re") else {
            throw ReadError(description: "cannot read the file: \(reason(errno))")
        }
        defer { fclose(file) }
        // It may grow while it is read: then its time changes, and it is read again.
        let size = Int(max(self.size, 0))
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = fread(buffer.baseAddress, 1, size, file)
        }
        guard ferror(file) == 0 else { throw ReadError(description: "cannot read the file: \(reason(errno))") }
        return bytes
    }
}
