package import MeshModel

extension ResolvConf {
    /// Where systemd-resolved answers programs of its machine.
    package static let stubs: Set<IPAddress> = [.v4(0x7f00_0035), .v4(0x7f00_0036)]
    /// Where systemd-resolved writes down whom it asks itself.
    package static let stubUpstreams = "/run/systemd/resolve/resolv.conf"

    /// The file as a DNS server of the same machine must read it: resolvers of this machine, such as dnsmasq and
    /// systemd-resolved, ask others in turn, and where those questions are captured as well they would come back here
    /// for ever (facts #15). So they are left out where the file names others, and systemd-resolved is asked to name
    /// its own. A resolver of this machine that stands alone is asked: nobody else is known.
    ///
    /// - Parameter read: gives a file's content; `nil` if there is none.
    /// - Returns: the file with other servers, or itself.
    package func forUpstream(_ read: (String) -> ResolvConf?) -> ResolvConf {
        var file = self
        let remote = self.nameservers.filter { !$0.address.isLoopback }
        if !remote.isEmpty {
            file.nameservers = remote
        } else if !self.nameservers.isEmpty, self.nameservers.allSatisfy({ Self.stubs.contains($0.address) }) {
            let others = read(Self.stubUpstreams)?.nameservers.filter { !$0.address.isLoopback } ?? []
            if !others.isEmpty { file.nameservers = others }
        }
        return file
    }
}
