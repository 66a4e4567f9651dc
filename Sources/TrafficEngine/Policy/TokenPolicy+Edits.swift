internal import MeshModel

extension TokenPolicy {
    /// What becomes of a request whose token was good: the token is taken out, claims are put in.
    package func edits(for verified: VerifiedToken, of token: PresentedToken) -> HeaderEdits {
        let provider = self.providers[verified.provider]
        var edits = HeaderEdits()
        if !provider.forwardsToken, let header = token.header { edits.remove.append(header) }
        if let name = provider.payloadHeader {
            edits.set.append(.init(name: Array(name.lowercased().utf8), value: verified.payload))
        }
        for claim in provider.claimHeaders {
            guard let value = verified.claims.value(named: claim.claim)?.headerText else { continue }
            edits.set.append(.init(name: Array(claim.header.lowercased().utf8), value: value))
        }
        return edits
    }
}
