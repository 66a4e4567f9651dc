package import DNSWire
internal import MeshModel

extension DNSData {
    /// As a zone file would say it (RFC 1035 section 5.1); unknown data by its length and digits (RFC 3597 section 5).
    package var text: String {
        switch self {
        case .a(let bits): IPAddress.v4(bits).description
        case .aaaa(let high, let low): IPAddress.v6(high: high, low: low).description
        case .cname(let target), .ptr(let target): target.isRoot ? "." : "\(target)."
        case .soa(let start): "\(start.primary). \(start.mailbox). \(start.serial)"
        case .srv(let priority, let weight, let port, let target): "\(priority) \(weight) \(port) \(target)."
        case .opaque(_, let bytes):
            "\\# \(bytes.count) " + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}
