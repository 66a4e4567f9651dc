package import DNSWire
package import MeshModel

/// What `/etc/resolv.conf` says (resolv.conf(5)); lines that mean nothing to us are skipped, as resolvers do.
package struct ResolvConf: Hashable, Sendable {
    /// A server to ask; a link-local address carries its interface.
    package struct Nameserver: Hashable, Sendable {
        package var address: IPAddress
        /// `eth0` out of `fe80::1%eth0`.
        package var zone: String?

        package init(address: IPAddress, zone: String? = nil) {
            self.address = address
            self.zone = zone
        }
    }

    /// The first three: C libraries ask no more.
    package var nameservers: [Nameserver] = []
    /// Appended to names with fewer dots than `ndots`, in this order.
    package var search: [DNSName] = []
    package var ndots = 1
    package var timeout: Duration = .seconds(5)
    package var attempts = 2
    package var rotates = false

    package static let nameserversMax = 3
    /// More than C libraries take (6 once, unlimited now); bounds what a lookup costs.
    package static let searchMax = 32

    package init() {}

    /// Reads the file's text.
    package init(text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            // A comment starts a line, or a word behind the value.
            let words = line.split { $0 == " " || $0 == "\t" }.prefix { !$0.hasPrefix("#") && !$0.hasPrefix(";") }
            guard let keyword = words.first else { continue }
            let values = words.dropFirst()
            switch keyword {
            case "nameserver": if let value = values.first { self.addServer(String(value)) }
            // The later one of both wins.
            case "search": self.search = values.prefix(Self.searchMax).compactMap { DNSName($0) }
            case "domain": self.search = values.prefix(1).compactMap { DNSName($0) }
            case "options": for value in values { self.setOption(value) }
            default: ()
            }
        }
    }

    private mutating func addServer(_ text: String) {
        let parts = text.split(separator: "%", maxSplits: 1)
        guard self.nameservers.count < Self.nameserversMax, let first = parts.first,
            let address = IPAddress(String(first))
        else { return }
        self.nameservers.append(Nameserver(address: address, zone: parts.count > 1 ? String(parts[1]) : nil))
    }

    private mutating func setOption(_ option: Substring) {
        let parts = option.split(separator: ":", maxSplits: 1)
        let number = parts.count > 1 ? Int(parts[1]) : nil
        // The upper limits are glibc's.
        switch (parts.first, number) {
        case ("ndots", let value?): self.ndots = min(max(value, 0), 15)
        case ("timeout", let value?): self.timeout = .seconds(min(max(value, 1), 30))
        case ("attempts", let value?): self.attempts = min(max(value, 1), 5)
        case ("rotate", nil): self.rotates = true
        default: ()
        }
    }
}
