extension DNSType {
    /// How types are called (the IANA registry), one table for reading and writing.
    private static let names: [(type: DNSType, name: String)] = [
        (.a, "A"), (.ns, "NS"), (.cname, "CNAME"), (.soa, "SOA"), (.ptr, "PTR"), (.mx, "MX"), (.txt, "TXT"),
        (.aaaa, "AAAA"), (.srv, "SRV"), (.dname, "DNAME"), (.opt, "OPT"), (.rrsig, "RRSIG"), (.nsec, "NSEC"),
        (.nsec3, "NSEC3"), (.svcb, "SVCB"), (.https, "HTTPS"), (.any, "ANY"),
    ]

    package var description: String { Self.names.first { $0.type == self }?.name ?? "TYPE\(self.rawValue)" }

    /// A type by its name in any case, by its number, or as `TYPE` and its number (RFC 3597 section 5).
    package init?(named text: String) {
        let name = text.uppercased()
        if let known = Self.names.first(where: { $0.name == name }) {
            self = known.type
            return
        }
        guard let number = UInt16(name.hasPrefix("TYPE") ? name.dropFirst(4) : name[...]) else { return nil }
        self.init(rawValue: number)
    }
}
