package import MeshModel

/// A check of requests before they are routed; in the order of Envoy's HTTP filters.
package enum HTTPPolicy: Sendable {
    /// Tokens (Envoy `jwt_authn`).
    case tokens(TokenPolicy)
    /// A service decides (Envoy `ext_authz`).
    case external(ExternalPolicy)
    /// Rules (Envoy `rbac`).
    case rules(RulePolicy)
}

/// A check of connections (Envoy's network filters `rbac` and `ext_authz`).
package enum ConnectionPolicy: Sendable {
    case rules(RulePolicy)
    case external(ExternalPolicy)
}

/// Rules that allow, deny or only report (Envoy `RBAC`).
package final class RulePolicy: Sendable {
    package enum Action: Hashable, Sendable { case allow, deny, log }

    /// A named policy: it matches if any permission and any principal does.
    package struct Entry: Sendable {
        /// Istio's form: `ns[NAMESPACE]-policy[NAME]-rule[INDEX]`.
        package var name: String
        package var permissions: [PolicyCondition]
        package var principals: [PolicyCondition]

        package init(name: String, permissions: [PolicyCondition], principals: [PolicyCondition]) {
            self.name = name
            self.permissions = permissions
            self.principals = principals
        }
    }

    package let action: Action
    /// In the order of their names, as Envoy looks at them.
    package let entries: [Entry]
    /// Reported and not enforced (dry run).
    package let isShadow: Bool
    /// Name the policy in a response header.
    package let showsDenials: Bool
    /// What has to be prepared before the conditions can be asked.
    let needs: PolicyNeeds

    package init(action: Action, entries: [Entry], isShadow: Bool = false, showsDenials: Bool = true) {
        self.action = action
        self.entries = entries.sorted { $0.name < $1.name }
        self.isShadow = isShadow
        self.showsDenials = showsDenials
        self.needs = entries.reduce(into: PolicyNeeds()) { needs, entry in
            for condition in entry.permissions + entry.principals { needs.formUnion(condition.needs) }
        }
    }
}

/// A condition on a connection or request; a closed tree, compiled once.
package indirect enum PolicyCondition: Sendable {
    case any
    case all([PolicyCondition])
    case either([PolicyCondition])
    case not(PolicyCondition)
    /// Of the peer's first URI name; with `nil` any authenticated peer.
    case principal(TextMatch?)
    /// The connection's peer.
    case sourceBlock(CIDR)
    /// The client according to trusted headers.
    case remoteBlock(CIDR)
    case destinationBlock(CIDR)
    case destinationPort(UInt16)
    case header(HeaderMatch)
    /// The host that a request is for, port included, as received.
    case authority(TextMatch)
    /// Without the query, and normalized (RFC 3986 section 6.2.2) so that `/a/../b` counts as `/b`.
    case path(TextMatch)
    case requestedServerName(TextMatch)
    /// A value out of a verified token: path of claims, in lists any element counts.
    case claim(path: [String], TextMatch)
}

/// A comparison of text; bytes, so that nothing is decoded per request.
package enum TextMatch: Sendable {
    case exact([UInt8])
    case prefix([UInt8])
    case suffix([UInt8])
    case contains([UInt8])
    case regex(Pattern)
    /// Not empty.
    case present
    case exactIgnoringCase([UInt8])
    case prefixIgnoringCase([UInt8])
    case suffixIgnoringCase([UInt8])
    case containsIgnoringCase([UInt8])
}

/// Which tokens are looked for and what must be there (Envoy `jwt_authn`).
package final class TokenPolicy: Sendable {
    package struct Provider: Hashable, Sendable {
        package enum Keys: Hashable, Sendable {
            /// A JSON Web Key Set (RFC 7517).
            case inline(String)
            case remote(uri: String, cluster: String, timeout: Duration, cacheDuration: Duration)
        }

        package var name: String
        package var issuer: String
        package var audiences: [String] = []
        package var keys: Keys
        package var fromHeaders: [RequestAuthenticationRules.Header] = []
        package var fromParameters: [String] = []
        package var fromCookies: [String] = []
        package var forwardsToken = false
        package var payloadHeader: String?
        package var claimHeaders: [RequestAuthenticationRules.ClaimHeader] = []
        /// Claims whose text is a list with spaces in between (`scope`, RFC 8693 section 4.2).
        package var spaceDelimitedClaims: [String] = []

        package init(name: String, issuer: String, keys: Keys) {
            self.name = name
            self.issuer = issuer
            self.keys = keys
        }
    }

    package let providers: [Provider]
    /// Requests without any token pass; a token that is there must be valid all the same.
    package let allowsMissing: Bool

    package init(providers: [Provider], allowsMissing: Bool = true) {
        self.providers = providers
        self.allowsMissing = allowsMissing
    }
}

/// A service that is asked (Envoy `ext_authz`).
package final class ExternalPolicy: Sendable {
    package let provider: AuthorizationProvider
    package let cluster: ClusterID
    package let clusterName: String
    /// Asked only where this holds; `nil`: always.
    package let condition: PolicyCondition?
    /// The Istio policy's name, for messages.
    package let name: String
    /// Name the policy in a response header.
    package let showsDenials: Bool

    package init(
        provider: AuthorizationProvider,
        cluster: ClusterID,
        clusterName: String,
        condition: PolicyCondition? = nil,
        name: String,
        showsDenials: Bool = true
    ) {
        self.showsDenials = showsDenials
        self.provider = provider
        self.cluster = cluster
        self.clusterName = clusterName
        self.condition = condition
        self.name = name
    }
}
