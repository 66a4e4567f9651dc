internal import MeshModel

extension RulePolicy {
    /// What the policy says, and the entry that made it say so.
    package enum Verdict: Hashable, Sendable {
        /// With an index into `entries` if one matched.
        case allowed(by: Int?)
        /// `nil`: there are only entries that allow, and none matched.
        case denied(by: Int?)
    }

    /// Decides about a request, or, without one, about a connection.
    ///
    /// Conditions on requests do not hold for connections. Nothing is allocated unless a path has to be normalized.
    package func decide(_ request: RequestView?, _ facts: borrowing PolicyFacts, claims: ClaimValue?) -> Verdict {
        let match = self.firstMatch(request, facts, claims: claims)
        return switch self.action {
        case .allow: match == nil ? .denied(by: nil) : .allowed(by: match)
        case .deny: match == nil ? .allowed(by: nil) : .denied(by: match)
        case .log: .allowed(by: match)
        }
    }

    /// Index of the first entry that holds.
    package func firstMatch(_ request: RequestView?, _ facts: borrowing PolicyFacts, claims: ClaimValue?) -> Int? {
        Self.withPath(of: self.needs.contains(.path) ? request : nil) { path in
            for index in self.entries.indices
            where self.entries[index].holds(request, path: path, facts, claims: claims) {
                return index
            }
            return nil
        }
    }

    static func withPath<Result>(
        of request: RequestView?,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        guard let request else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let path = PolicyPath.path(of: request[request.target])
        guard PolicyPath.isSuspicious(path) else { return body(path) }
        return PolicyPath.normalized(path).withUnsafeBytes(body)
    }
}

extension RulePolicy.Entry {
    func holds(
        _ request: RequestView?,
        path: UnsafeRawBufferPointer,
        _ facts: borrowing PolicyFacts,
        claims: ClaimValue?
    ) -> Bool {
        for permission in self.permissions where permission.holds(request, path: path, facts, claims: claims) {
            for principal in self.principals where principal.holds(request, path: path, facts, claims: claims) {
                return true
            }
            return false
        }
        return false
    }
}

extension PolicyCondition {
    /// Whether it holds on its own, outside a policy.
    package func holds(_ request: RequestView?, _ facts: borrowing PolicyFacts, claims: ClaimValue?) -> Bool {
        RulePolicy.withPath(of: self.needs.contains(.path) ? request : nil) {
            self.holds(request, path: $0, facts, claims: claims)
        }
    }

    func holds(
        _ request: RequestView?,
        path: UnsafeRawBufferPointer,
        _ facts: borrowing PolicyFacts,
        claims: ClaimValue?
    ) -> Bool {
        switch self {
        case .any: return true
        case .all(let conditions):
            for condition in conditions where !condition.holds(request, path: path, facts, claims: claims) {
                return false
            }
            return true
        case .either(let conditions):
            for condition in conditions where condition.holds(request, path: path, facts, claims: claims) {
                return true
            }
            return false
        case .not(let condition): return !condition.holds(request, path: path, facts, claims: claims)
        case .principal(let match): return Self.holds(match, facts.peer)
        case .sourceBlock(let block): return facts.source.map { block.contains($0) } ?? false
        case .remoteBlock(let block): return facts.remote.map { block.contains($0) } ?? false
        case .destinationBlock(let block): return block.contains(facts.destination.ip)
        case .destinationPort(let port): return facts.destination.port == port
        case .header(let match): return request.map { match.holds($0) } ?? false
        case .authority(let match): return request.map { match.holds($0[$0.authority]) } ?? false
        case .path(let match): return request == nil ? false : match.holds(path)
        // Without a name Envoy compares the empty one.
        case .requestedServerName(let match): return match.holds(facts.serverName ?? "")
        case .claim(let path, let match): return claims?.value(at: path)?.holds(match) ?? false
        }
    }

    /// Envoy's order: URI names, then DNS names, then the subject.
    private static func holds(_ match: TextMatch?, _ peer: PeerIdentity?) -> Bool {
        guard let peer else { return false }
        guard let match else { return true }
        return peer.uris.contains { match.holds($0) } || peer.dnsNames.contains { match.holds($0) }
            || match.holds(peer.subject)
    }
}
