internal import MeshModel

extension Listener {
    /// What nobody declared is passed on to where it was going (Istio's `ALLOW_ANY`).
    package var passesUndeclared: Bool {
        guard case .tcp(let proxy)? = self.defaultChain?.terminal else { return false }
        return proxy.clusters.first?.name == "PassthroughCluster"
    }

    /// The chain that a connection enters, or the default chain; `nil`: it is closed.
    ///
    /// Envoy's rule: the criteria are looked at one after the other, each keeps only the chains that fit it best, and
    /// there is no way back: a chain that loses on an earlier criterion is not tried when the winners fail on a later
    /// one.
    package func chain(for facts: ConnectionFacts) -> FilterChain? {
        if self.chains.count == 1, self.chains[0].match.asksNothing { return self.chains[0] }
        // Best fit found so far, by criterion; -1 before the criterion was looked at.
        var best = (-1, -1, -1, -1, -1, -1)
        for stage in Criterion.allCases {
            var bestHere = -1
            for chain in self.chains where chain.match.keeps(up: stage, best, facts) {
                bestHere = max(bestHere, chain.match.fit(stage, facts))
            }
            if bestHere < 0 { return self.defaultChain }
            switch stage {
            case .destinationPort: best.0 = bestHere
            case .destinationPrefix: best.1 = bestHere
            case .serverName: best.2 = bestHere
            case .transportProtocol: best.3 = bestHere
            case .applicationProtocols: best.4 = bestHere
            case .sourcePrefix: best.5 = bestHere
            }
        }
        return self.chains.first { chain in
            chain.match.keeps(up: nil, best, facts)
        } ?? self.defaultChain
    }
}

/// Criteria in the order in which they decide.
private enum Criterion: CaseIterable {
    case destinationPort, destinationPrefix, serverName, transportProtocol, applicationProtocols, sourcePrefix
}

extension FilterChainMatch {
    fileprivate var asksNothing: Bool {
        self.destinationPort == nil && self.destinationPrefixes.isEmpty && self.sourcePrefixes.isEmpty
            && self.serverNames.isEmpty && self.transportProtocol == nil && self.applicationProtocols.isEmpty
    }

    /// Whether the chain fits as well as the best on every criterion before `stage` (all, if `nil`).
    fileprivate func keeps(
        up stage: Criterion?,
        _ best: (Int, Int, Int, Int, Int, Int),
        _ facts: ConnectionFacts
    ) -> Bool {
        if stage == .destinationPort { return true }
        guard self.fit(.destinationPort, facts) == best.0 else { return false }
        if stage == .destinationPrefix { return true }
        guard self.fit(.destinationPrefix, facts) == best.1 else { return false }
        if stage == .serverName { return true }
        guard self.fit(.serverName, facts) == best.2 else { return false }
        if stage == .transportProtocol { return true }
        guard self.fit(.transportProtocol, facts) == best.3 else { return false }
        if stage == .applicationProtocols { return true }
        guard self.fit(.applicationProtocols, facts) == best.4 else { return false }
        if stage == .sourcePrefix { return true }
        return self.fit(.sourcePrefix, facts) == best.5
    }

    /// How closely a connection fits one criterion: -1 not at all, 0 nothing was asked, more is closer.
    fileprivate func fit(_ criterion: Criterion, _ facts: ConnectionFacts) -> Int {
        switch criterion {
        case .destinationPort:
            guard let port = self.destinationPort else { return 0 }
            return port == facts.destination.port ? 1 : -1
        case .destinationPrefix:
            return Self.fit(self.destinationPrefixes, facts.destination.ip)
        case .serverName:
            return self.fitOfServerName(facts.serverName)
        case .transportProtocol:
            guard let name = self.transportProtocol else { return 0 }
            return name == (facts.isTLS ? "tls" : "raw_buffer") ? 1 : -1
        case .applicationProtocols:
            if self.applicationProtocols.isEmpty { return 0 }
            // The client's first choice that some chain knows decides.
            for (index, name) in facts.applicationProtocols.enumerated()
            where self.applicationProtocols.contains(name) {
                return 1000 - min(index, 998)
            }
            return -1
        case .sourcePrefix:
            guard let source = facts.source else { return self.sourcePrefixes.isEmpty ? 0 : -1 }
            return Self.fit(self.sourcePrefixes, source)
        }
    }

    private static func fit(_ prefixes: [CIDR], _ address: IPAddress) -> Int {
        if prefixes.isEmpty { return 0 }
        var longest = -1
        for prefix in prefixes where prefix.contains(address) { longest = max(longest, prefix.prefixLength + 1) }
        return longest
    }

    private func fitOfServerName(_ name: String?) -> Int {
        if self.serverNames.isEmpty { return 0 }
        guard let name, !name.isEmpty else { return -1 }
        var closest = -1
        for candidate in self.serverNames {
            if candidate == name { return 1000 }
            if candidate == "*" { closest = max(closest, 1) }
            // `*.x` covers names below x, however deep, and not x itself.
            if candidate.utf8.starts(with: "*.".utf8) {
                let suffix = candidate.utf8.dropFirst()
                let isBelow = name.utf8.count > suffix.count && name.utf8.suffix(suffix.count).elementsEqual(suffix)
                if isBelow { closest = max(closest, suffix.count) }
            }
        }
        return closest
    }
}
