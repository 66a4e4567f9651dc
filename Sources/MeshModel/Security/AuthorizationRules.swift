/// An AuthorizationPolicy, parsed.
package struct AuthorizationRules: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case allow, deny, audit
        /// Ask the extension provider of this name.
        case custom(provider: String)
    }

    /// Any entry of each list that is not empty must hold, and all lists.
    package struct Rule: Hashable, Sendable {
        /// Any of them; empty: every source.
        package var sources: [Source] = []
        /// Any of them; empty: every operation.
        package var operations: [Operation] = []
        /// All of them.
        package var conditions: [Condition] = []

        package init() {}
    }

    /// Values may begin or end with `*`, or be `*` alone (presence).
    package struct Source: Hashable, Sendable {
        package var principals: [String] = []
        package var notPrincipals: [String] = []
        package var requestPrincipals: [String] = []
        package var notRequestPrincipals: [String] = []
        package var namespaces: [String] = []
        package var notNamespaces: [String] = []
        /// `namespace/name`, or a name in the policy's namespace.
        package var serviceAccounts: [String] = []
        package var notServiceAccounts: [String] = []
        package var trustDomains: [String] = []
        package var notTrustDomains: [String] = []
        package var ipBlocks: [CIDR] = []
        package var notIPBlocks: [CIDR] = []
        package var remoteIPBlocks: [CIDR] = []
        package var notRemoteIPBlocks: [CIDR] = []

        package init() {}
    }

    package struct Operation: Hashable, Sendable {
        package var hosts: [String] = []
        package var notHosts: [String] = []
        package var ports: [Port] = []
        package var notPorts: [Port] = []
        package var methods: [String] = []
        package var notMethods: [String] = []
        /// `{*}` and `{**}` templates as in Istio, too.
        package var paths: [String] = []
        package var notPaths: [String] = []

        package init() {}
    }

    /// `request.headers[x-a]`, `source.ip`, `remote.ip`, `source.namespace`, `source.principal`,
    /// `request.auth.principal`, `.audiences`, `.presenter`, `.claims[a][b]`, `destination.ip`, `.port`,
    /// `connection.sni`.
    package struct Condition: Hashable, Sendable {
        package var key: String
        package var values: [String]
        package var notValues: [String]

        package init(key: String, values: [String] = [], notValues: [String] = []) {
            self.key = key
            self.values = values
            self.notValues = notValues
        }
    }

    package var source: ObjectReference
    package var createdAt: Int64
    /// Empty: all workloads of the namespace, or of the mesh if that is the root namespace.
    package var selector: [String: String]
    package var action: Action
    /// None: an `allow` policy that allows nothing, a `deny` policy that denies nothing.
    package var rules: [Rule]
    /// Evaluated and reported, never enforced (annotation `istio.io/dry-run`).
    package var isDryRun: Bool

    package init(
        source: ObjectReference,
        createdAt: Int64 = 0,
        selector: [String: String] = [:],
        action: Action = .allow,
        rules: [Rule] = [],
        isDryRun: Bool = false
    ) {
        self.source = source
        self.createdAt = createdAt
        self.selector = selector
        self.action = action
        self.rules = rules
        self.isDryRun = isDryRun
    }
}

/// A RequestAuthentication, parsed: tokens that are looked at; one that is there must be valid.
package struct RequestAuthenticationRules: Hashable, Sendable {
    package struct Header: Hashable, Sendable {
        package var name: String
        package var prefix: String

        package init(name: String, prefix: String = "") {
            self.name = name
            self.prefix = prefix
        }
    }

    package struct ClaimHeader: Hashable, Sendable {
        package var header: String
        package var claim: String

        package init(header: String, claim: String) {
            self.header = header
            self.claim = claim
        }
    }

    package struct Issuer: Hashable, Sendable {
        package var issuer: String
        package var audiences: [String] = []
        /// Where the keys are fetched; `nil` with `keys`.
        package var keysURI: String?
        /// A JSON Web Key Set (RFC 7517).
        package var keys: String?
        package var fromHeaders: [Header] = []
        package var fromParameters: [String] = []
        package var fromCookies: [String] = []
        package var forwardsToken = false
        package var payloadHeader: String?
        package var claimHeaders: [ClaimHeader] = []
        /// For fetching keys.
        package var timeout: Duration = .seconds(5)

        package init(issuer: String) { self.issuer = issuer }
    }

    package var source: ObjectReference
    package var createdAt: Int64
    package var selector: [String: String]
    package var issuers: [Issuer]
    /// Requests without a valid token are refused (old `Policy` with `origins`).
    package var isRequired: Bool

    package init(
        source: ObjectReference,
        createdAt: Int64 = 0,
        selector: [String: String] = [:],
        issuers: [Issuer] = [],
        isRequired: Bool = false
    ) {
        self.source = source
        self.createdAt = createdAt
        self.selector = selector
        self.issuers = issuers
        self.isRequired = isRequired
    }
}

/// A service that decides about requests (`MeshConfig.extensionProviders[]`, `envoyExtAuthzGrpc` or `…Http`).
package struct AuthorizationProvider: Hashable, Sendable {
    package enum Wire: Hashable, Sendable {
        case grpc
        case http(pathPrefix: String)
    }

    /// What a service sees of bodies (`includeRequestBodyInCheck`).
    package struct Body: Hashable, Sendable {
        package var bytesMax: UInt32
        /// Of a longer body the service gets the beginning; else the client gets 413.
        package var mayBePartial: Bool
        /// Over gRPC as bytes, not as text.
        package var isPackedAsBytes: Bool

        package init(bytesMax: UInt32, mayBePartial: Bool = false, isPackedAsBytes: Bool = false) {
            self.bytesMax = bytesMax
            self.mayBePartial = mayBePartial
            self.isPackedAsBytes = isPackedAsBytes
        }
    }

    package var name: String
    package var wire: Wire
    /// A host of the mesh's registry, with or without `namespace/` in front.
    package var service: String
    package var port: Port
    package var timeout: Duration = .milliseconds(600)
    /// Let requests through when the service cannot be asked.
    package var failsOpen = false
    package var statusOnError: UInt32 = 403
    /// What is sent along of a request's body; `nil`: nothing.
    package var body: Body?
    package var headersToCheck: [String] = []
    package var headersToUpstream: [String] = []
    package var headersToDownstream: [String] = []

    package init(name: String, wire: Wire, service: String, port: Port) {
        self.name = name
        self.wire = wire
        self.service = service
        self.port = port
    }
}
