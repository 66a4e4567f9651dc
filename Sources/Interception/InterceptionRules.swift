internal import MeshModel

/// The packet filter rules that bring a pod's traffic to its proxy, as text for `iptables-restore --noflush`.
///
/// Chains have Istio's names, so that people and tools who know Istio find what they look for. A restore is applied
/// as a whole or not at all, so that no connection ever meets half of the rules.
package struct InterceptionRules: Sendable {
    package let configuration: InterceptionConfiguration

    /// - Throws: `badConfiguration` with every mistake of `configuration`.
    package init(_ configuration: InterceptionConfiguration) throws(InterceptionError) {
        let mistakes = configuration.mistakes
        guard mistakes.isEmpty else {
            throw InterceptionError(code: .badConfiguration, message: mistakes.joined(separator: "; "))
        }
        self.configuration = configuration
    }

    /// The input of `iptables-restore --noflush` (`v4`) and `ip6tables-restore --noflush` (`v6`, empty if not wanted).
    ///
    /// Setting up twice gives the same rules: a chain of ours is emptied as it is declared, and the jumps into them
    /// that `existing` shows are taken out first.
    package func restoreInput(replacing existing: SavedRules = SavedRules()) -> (v4: String, v6: String) {
        let v6 = self.configuration.coversIPv6 ? self.text(.v6, replacing: existing.v6) : ""
        return (self.text(.v4, replacing: existing.v4), v6)
    }

    private func text(_ family: Family, replacing existing: String) -> String {
        var out = RestoreText(existing: existing)
        let capturesDNS = self.capturesDNS(family)
        out.table("nat", chains: capturesDNS ? Chain.nat : Chain.nat.filter { $0 != Chain.outputDNS })
        self.inbound(family, into: &out)
        self.outbound(family, capturesDNS: capturesDNS, into: &out)
        if capturesDNS { self.dns(family, into: &out) }
        out.commit()
        // The raw table is left alone unless it is needed or holds rules of an earlier set-up.
        if capturesDNS {
            out.table("raw", chains: Chain.raw)
            self.zones(family, into: &out)
            out.commit()
        } else if existing.contains("ISTIO_") {
            out.removal(of: "raw", chains: Chain.raw)
        }
        return out.text
    }

    private func inbound(_ family: Family, into out: inout RestoreText) {
        let configuration = self.configuration
        for name in configuration.interfacesExcluded.sorted() {
            out.rule(Chain.inbound, "-i \(name) -j RETURN")
        }
        // Tunnelled mesh traffic (HBONE) is accepted on its own port as it is.
        out.rule(Chain.inbound, "-p tcp --dport 15008 -j RETURN")
        switch configuration.inboundPorts {
        case .all:
            for port in configuration.inboundPortsExcluded.sorted() {
                out.rule(Chain.inbound, "-p tcp --dport \(port) -j RETURN")
            }
            out.rule(Chain.inbound, "-p tcp -j \(Chain.inboundRedirect)")
        case .only(let ports):
            for port in ports.subtracting(configuration.inboundPortsExcluded).sorted() {
                out.rule(Chain.inbound, "-p tcp --dport \(port) -j \(Chain.inboundRedirect)")
            }
        }
        out.rule(Chain.inboundRedirect, "-p tcp -j REDIRECT --to-ports \(configuration.inboundPort)")
        out.rule("PREROUTING", "-p tcp -j \(Chain.inbound)")
    }

    private func outbound(_ family: Family, capturesDNS: Bool, into out: inout RestoreText) {
        let configuration = self.configuration
        for name in configuration.interfacesExcluded.sorted() {
            out.rule(Chain.output, "-o \(name) -j RETURN")
        }
        // The proxy's last hop to an application of this pod, which it sends from this address: never again to
        // the proxy (facts #62).
        out.rule(Chain.output, "-s \(family.inboundSource) -o lo -j RETURN")
        if capturesDNS { out.rule(Chain.output, "-p tcp --dport 53 -j \(Chain.outputDNS)") }
        // By user and by group: a shell opened in the proxy's container keeps one of them.
        for owner in ["--uid-owner \(configuration.proxyUser)", "--gid-owner \(configuration.proxyGroup)"] {
            // A service that picked this very pod: the proxy dials the pod's own address, and inbound policy applies.
            out.rule(
                Chain.output,
                "-o lo ! -d \(family.loopback) -p tcp -m owner \(owner) -j \(Chain.inboundRedirect)"
            )
        }
        // Applications that talk to each other over loopback or the pod's own address stay among themselves.
        out.rule(
            Chain.output,
            "-o lo -m owner ! --uid-owner \(configuration.proxyUser) ! --gid-owner \(configuration.proxyGroup) -j RETURN"
        )
        out.rule(Chain.output, "-m owner --uid-owner \(configuration.proxyUser) -j RETURN")
        out.rule(Chain.output, "-m owner --gid-owner \(configuration.proxyGroup) -j RETURN")
        out.rule(Chain.output, "-d \(family.loopback) -j RETURN")
        if configuration.narrowsOutbound {
            for block in family.own(configuration.virtualBlocks) {
                out.rule(Chain.output, "-p tcp -d \(block) -j \(Chain.redirect)")
            }
        }
        for port in configuration.outboundPortsExcluded.sorted() {
            out.rule(Chain.output, "-p tcp --dport \(port) -j RETURN")
        }
        for block in family.own(configuration.outboundBlocksExcluded) {
            out.rule(Chain.output, "-d \(block) -j RETURN")
        }
        for port in configuration.outboundPortsIncluded.sorted() {
            out.rule(Chain.output, "-p tcp --dport \(port) -j \(Chain.redirect)")
        }
        switch configuration.outboundBlocks {
        case .all: out.rule(Chain.output, "-p tcp -j \(Chain.redirect)")
        case .only(let blocks):
            for block in family.own(blocks) { out.rule(Chain.output, "-p tcp -d \(block) -j \(Chain.redirect)") }
        }
        out.rule(Chain.redirect, "-p tcp -j REDIRECT --to-ports \(configuration.outboundPort)")
        out.rule("OUTPUT", "-p tcp -j \(Chain.output)")
    }
}

extension InterceptionRules {
    /// Names of the chains that are ours.
    enum Chain {
        static let inbound = "ISTIO_INBOUND"
        static let inboundRedirect = "ISTIO_IN_REDIRECT"
        static let output = "ISTIO_OUTPUT"
        static let redirect = "ISTIO_REDIRECT"
        static let outputDNS = "ISTIO_OUTPUT_DNS"
        static let preroutingDNS = "ISTIO_PREROUTING_DNS"
        static let nat = [inbound, inboundRedirect, output, redirect, outputDNS]
        static let raw = [outputDNS, preroutingDNS]
    }

    /// What differs between the two address families.
    enum Family {
        case v4, v6

        /// The proxy's own source address for connections to applications of its pod.
        var inboundSource: String {
            switch self {
            case .v4: "127.0.0.6/32"
            case .v6: "::6/128"
            }
        }

        var loopback: String {
            switch self {
            case .v4: "127.0.0.1/32"
            case .v6: "::1/128"
            }
        }

        /// The blocks of this family, in a stable order.
        func own(_ blocks: Set<CIDR>) -> [CIDR] {
            blocks.filter { self.matches($0.network) }.sorted()
        }

        func matches(_ address: IPAddress) -> Bool {
            switch (self, address) {
            case (.v4, .v4), (.v6, .v6): true
            case (.v4, .v6), (.v6, .v4): false
            }
        }
    }
}
