internal import Glibc
package import MeshModel

/// Follows a `resolv.conf`, which may be replaced at run time (facts #17).
package struct ResolvConfWatch: Sendable {
    private let path: String
    private let interval: Duration
    private let onChange: @Sendable (ResolvConf) async -> Void

    /// - Parameters:
    ///   - path: the file.
    ///   - interval: how often to look.
    ///   - onChange: gets the file as it is, first and whenever it has changed.
    package init(
        path: String = "/etc/resolv.conf",
        interval: Duration = .seconds(2),
        onChange: @escaping @Sendable (ResolvConf) async -> Void
    ) {
        self.path = path
        self.interval = interval
        self.onChange = onChange
    }

    /// Looks for changes until the task is cancelled.
    package func run() async {
        var last = ResolvConf()
        while !Task.isCancelled {
            // While the file is being replaced it may be missing or empty: what was known stays.
            if let file = Self.read(self.path)?.forUpstream(Self.read), !file.nameservers.isEmpty, file != last {
                last = file
                await self.onChange(file)
            }
            // Cancellation ends the loop above.
            try? await Task.sleep(for: self.interval)
        }
    }

    /// Longer files are cut: a few servers and search domains take a hundred bytes.
    private static let bytesMax = 65_536

    /// A file that names no server, at least not now: it may be missing, or just being written.
    package struct NoServers: Error, CustomStringConvertible {
        package var description: String
    }

    /// The servers that a file names.
    ///
    /// - Throws: `NoServers`, which names the file.
    package static func servers(of path: String) throws(NoServers) -> [IPAddress] {
        guard let file = Self.read(path) else {
            throw NoServers(description: "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        guard !file.nameservers.isEmpty else {
            throw NoServers(description: "\(path) names no server: it needs a line such as `nameserver 10.0.0.2`")
        }
        return file.nameservers.map(\.address)
    }

    /// The file's content; `nil` if it cannot be read.
    package static func read(_ path: String) -> ResolvConf? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: Self.bytesMax)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0 else { return nil }
        return ResolvConf(text: String(decoding: bytes[..<count], as: UTF8.self))
    }
}
