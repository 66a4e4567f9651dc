internal import Glibc
package import Logging
internal import MeshModel

/// Keeps a forwarder's servers those of a `resolv.conf`, which may be replaced at run time (facts #17).
package struct ResolvConfWatch: Sendable {
    private let path: String
    private let own: Set<DNSUpstream>
    private let forwarder: DNSForwarder
    private let interval: Duration
    private let logger: Logger

    /// - Parameters:
    ///   - path: the file.
    ///   - own: addresses of our own servers, which are never asked.
    ///   - forwarder: is told about changes.
    ///   - interval: how often to look.
    ///   - logger: hears about changes.
    package init(
        path: String = "/etc/resolv.conf",
        own: Set<DNSUpstream> = [],
        forwarder: DNSForwarder,
        interval: Duration = .seconds(2),
        logger: Logger
    ) {
        self.path = path
        self.own = own
        self.forwarder = forwarder
        self.interval = interval
        self.logger = logger
    }

    /// Looks for changes until the task is cancelled.
    package func run() async {
        var last = ResolvConf()
        while !Task.isCancelled {
            // While the file is being replaced it may be missing: what was known stays.
            if let file = Self.read(self.path), file != last {
                last = file
                let upstreams = DNSUpstreams(file, without: self.own)
                await self.forwarder.update(upstreams)
                self.logger.info("dns servers changed", metadata: ["servers": "\(upstreams.servers)"])
            }
            // Cancellation ends the loop above.
            try? await Task.sleep(for: self.interval)
        }
    }

    /// Longer files are cut: a few servers and search domains take a hundred bytes.
    private static let bytesMax = 65_536

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
