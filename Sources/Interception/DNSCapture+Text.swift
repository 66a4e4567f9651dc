package import MeshModel

extension InterceptionConfiguration.DNSCapture {
    /// Reads what a person chose.
    ///
    /// - Parameters:
    ///   - text: `resolv.conf`, `all`, or addresses with commas between them.
    ///   - named: the servers that `resolv.conf` names; empty: the one on this machine, as its manual says.
    ///   - asked: the servers that the proxy will ask.
    /// - Throws: what is wrong with it.
    package init(_ text: String, named: [IPAddress], asked: [IPAddress]) throws(InterceptionError) {
        switch text {
        case "resolv.conf": self = .servers(named.isEmpty ? [.v4(0x7f00_0001), .v6(high: 0, low: 1)] : Set(named))
        case "all":
            // Its own queries would be captured, come to the proxy, and go to it again, for ever (facts #15).
            if let local = asked.first(where: \.isLoopback) {
                throw InterceptionError(
                    code: .badConfiguration,
                    message: "DNS cannot be captured for all servers: \(local) is a resolver of this machine, and what "
                        + "it asks would come back to it; capture the servers of resolv.conf, or name others there"
                )
            }
            self = .all
        default:
            var servers: Set<IPAddress> = []
            for word in text.split(separator: ",") {
                guard let address = IPAddress(String(word)) else {
                    throw InterceptionError(
                        code: .badConfiguration,
                        message: "\"\(word)\" is no address of a DNS server; there are resolv.conf, all, and lists"
                    )
                }
                servers.insert(address)
            }
            guard !servers.isEmpty else {
                throw InterceptionError(
                    code: .badConfiguration,
                    message: "no DNS server is named whose queries shall be captured: resolv.conf, all, or a list"
                )
            }
            self = .servers(servers)
        }
    }
}
