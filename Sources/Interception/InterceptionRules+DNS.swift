internal import MeshModel

extension InterceptionRules {
    /// Whether this family has DNS servers to capture.
    func capturesDNS(_ family: Family) -> Bool {
        switch self.configuration.dnsCapture {
        case .off: false
        case .all: true
        case .servers(let servers): servers.contains { family.matches($0) }
        }
    }

    /// Sends queries to the proxy's DNS port; the proxy's own queries go out.
    func dns(_ family: Family, into out: inout RestoreText) {
        for owner in self.owners { out.rule(Chain.outputDNS, "-m owner \(owner) -j RETURN") }
        for transport in ["udp", "tcp"] {
            for match in self.serverMatches(family, "-d") {
                out.rule(
                    Chain.outputDNS,
                    "-p \(transport) --dport 53\(match) -j REDIRECT --to-ports \(self.configuration.dnsPort)"
                )
            }
        }
        out.rule("OUTPUT", "-p udp --dport 53 -j \(Chain.outputDNS)")
    }

    /// Keeps the application's queries and the proxy's own apart in connection tracking (facts #16).
    ///
    /// Both are UDP from this pod to the same server. Should both pick the same source port, tracking would take
    /// one for the other and rewrite the answer wrongly. Zone 1 is the proxy's side, zone 2 the application's.
    func zones(_ family: Family, into out: inout RestoreText) {
        for owner in self.owners {
            out.rule(Chain.outputDNS, "-p udp --dport 53 -m owner \(owner) -j CT --zone 1")
            out.rule(
                Chain.outputDNS,
                "-p udp --sport \(self.configuration.dnsPort) -m owner \(owner) -j CT --zone 2"
            )
            // CT goes on to the next rule; what is the proxy's must not reach those for applications.
            out.rule(Chain.outputDNS, "-m owner \(owner) -j RETURN")
        }
        for match in self.serverMatches(family, "-d") {
            out.rule(Chain.outputDNS, "-p udp --dport 53\(match) -j CT --zone 2")
        }
        // Answers from outside are to the proxy's own queries. Answers to applications come over loopback and
        // are tracked already.
        for match in self.serverMatches(family, "-s") {
            out.rule(Chain.preroutingDNS, "-p udp --sport 53\(match) -j CT --zone 1")
        }
        out.rule("OUTPUT", "-p udp -j \(Chain.outputDNS)")
        out.rule("PREROUTING", "-p udp -j \(Chain.preroutingDNS)")
    }

    private var owners: [String] {
        ["--uid-owner \(self.configuration.proxyUser)", "--gid-owner \(self.configuration.proxyGroup)"]
    }

    /// One match per captured server, or a single empty one for all.
    private func serverMatches(_ family: Family, _ option: String) -> [String] {
        switch self.configuration.dnsCapture {
        case .off: []
        case .all: [""]
        case .servers(let servers): servers.filter { family.matches($0) }.sorted().map { " \(option) \($0)" }
        }
    }
}
