package import MeshModel

/// What policies may know of a connection.
package struct PolicyFacts: Sendable {
    /// The other end of the connection.
    package var source: IPAddress?
    /// The client according to trusted headers; without any the same as `source`.
    package var remote: IPAddress?
    /// Where the client wanted to go.
    package var destination: NetworkAddress
    /// The name in the TLS hello.
    package var serverName: String?
    /// `nil`: the peer showed no certificate.
    package var peer: PeerIdentity?
    /// The mesh's own authority says who the peer is, and not one that a gateway trusts for its clients.
    package var isPeerOfMesh = false
    /// The URI of our own certificate that the peer was shown.
    package var localURI: String?
    /// Of the request's verified token, where somebody wants to know.
    package var claims: ClaimValue?
    /// The same as it was sent, base64url; it is decoded for who asks.
    package var claimsPayload: [UInt8]?

    package init(
        source: IPAddress?,
        remote: IPAddress? = nil,
        destination: NetworkAddress,
        serverName: String? = nil,
        peer: PeerIdentity? = nil
    ) {
        self.source = source
        self.remote = remote ?? source
        self.destination = destination
        self.serverName = serverName
        self.peer = peer
    }

    /// Whether policies certainly see the same of both; claims are not looked into.
    func isAlike(_ other: PolicyFacts) -> Bool {
        self.source == other.source && self.remote == other.remote && self.destination == other.destination
            && self.serverName == other.serverName && self.peer == other.peer
            && self.isPeerOfMesh == other.isPeerOfMesh && self.localURI == other.localURI && self.claims == nil
            && other.claims == nil && self.claimsPayload == nil && other.claimsPayload == nil
    }
}

/// What conditions look at beyond a request's own bytes; found once per policy.
struct PolicyNeeds: OptionSet, Sendable {
    let rawValue: UInt8

    static let path = PolicyNeeds(rawValue: 1)
    static let remoteAddress = PolicyNeeds(rawValue: 2)
}

extension RulePolicy {
    /// Whether `PolicyFacts.remote` is looked at.
    package var needsRemoteAddress: Bool { self.needs.contains(.remoteAddress) }
}

extension PolicyCondition {
    /// Whether `PolicyFacts.remote` is looked at.
    package var needsRemoteAddress: Bool { self.needs.contains(.remoteAddress) }

    var needs: PolicyNeeds {
        switch self {
        case .all(let conditions), .either(let conditions):
            conditions.reduce(into: PolicyNeeds()) { $0.formUnion($1.needs) }
        case .not(let condition): condition.needs
        case .path: .path
        case .remoteBlock: .remoteAddress
        case .any, .header, .authority, .principal, .sourceBlock, .destinationBlock, .destinationPort,
            .requestedServerName, .claim:
            []
        }
    }
}
