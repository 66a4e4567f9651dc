package import DNSWire

/// The names that a client's resolver asks for in turn until one is answered (resolv.conf(5)).
package struct LookupPlan: Hashable, Sendable {
    /// In the order of asking, each once.
    package let names: [DNSName]

    /// `nil` if the text is no domain name.
    ///
    /// - Parameters:
    ///   - text: what the application asked for; with a dot at its end it is asked for as it is and nothing else.
    ///   - file: the client's `resolv.conf`.
    package init?(of text: String, _ file: ResolvConf) {
        guard let name = DNSName(text), !name.isRoot else { return nil }
        if text.hasSuffix(".") {
            self.names = [name]
            return
        }
        let expanded = file.search.compactMap { name.appending($0) }
        // Names with few dots are first taken for short ones.
        let isShort = name.labelCount - 1 < file.ndots
        var seen: Set<DNSName> = []
        self.names = (isShort ? expanded + [name] : [name] + expanded).filter { seen.insert($0).inserted }
    }
}
