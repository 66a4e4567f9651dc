import MeshModel
import SwiftProtobuf
import XDSAPI

/// Turns sources, operations and conditions of one rule into Envoy's conditions.
struct ConditionTranslator {
    typealias Permission = Envoy_Config_Rbac_V3_Permission
    typealias Principal = Envoy_Config_Rbac_V3_Principal
    typealias NeedsRequest = RuleTranslator.NeedsRequest

    let trustDomains: [String]
    /// The policy's.
    let namespace: String
    let isTCP: Bool
    /// What cannot be asked makes the rule useless (ALLOW); else it is left out.
    let isStrict: Bool

    // MARK: Operations

    func permissions(_ operation: AuthorizationRules.Operation) throws(NeedsRequest) -> [Permission] {
        try self.permissions(operation.hosts, not: operation.notHosts, isHTTP: true, Self.host)
            + self.permissions(operation.methods, not: operation.notMethods, isHTTP: true, Self.method)
            + self.permissions(operation.paths, not: operation.notPaths, isHTTP: true, Self.path)
            + self.permissions(operation.ports, not: operation.notPorts, isHTTP: false, Self.port)
    }

    private static func host(_ value: String) -> Permission {
        .with { $0.header = PolicyMatch.header(":authority", value, ignoresCase: true) }
    }

    private static func method(_ value: String) -> Permission {
        .with { $0.header = PolicyMatch.header(":method", value) }
    }

    private static func path(_ value: String) -> Permission { .with { $0.urlPath.path = PolicyMatch.path(value) } }

    private static func port(_ value: Port) -> Permission { .with { $0.destinationPort = UInt32(value.number) } }

    /// One of `values`, and none of `not`.
    private func permissions<Value>(
        _ values: [Value],
        not excluded: [Value],
        isHTTP: Bool,
        _ make: (Value) -> Permission
    ) throws(NeedsRequest) -> [Permission] {
        guard try self.mayAsk(isHTTP, values.isEmpty && excluded.isEmpty) else { return [] }
        var result: [Permission] = []
        if !values.isEmpty { result.append(.with { $0.orRules.rules = values.map(make) }) }
        if !excluded.isEmpty {
            result.append(.with { $0.notRule = .with { $0.orRules.rules = excluded.map(make) } })
        }
        return result
    }

    private func mayAsk(_ isHTTP: Bool, _ isEmpty: Bool) throws(NeedsRequest) -> Bool {
        if isEmpty { return false }
        guard isHTTP, self.isTCP else { return true }
        if self.isStrict { throw NeedsRequest() }
        return false
    }

    // MARK: Sources

    func principals(_ source: AuthorizationRules.Source) throws(NeedsRequest) -> [Principal] {
        try self.principals(source.principals, not: source.notPrincipals, isHTTP: false, self.peer)
            + self.principals(
                source.requestPrincipals,
                not: source.notRequestPrincipals,
                isHTTP: true,
                TokenPrincipal.condition
            )
            + self.principals(source.namespaces, not: source.notNamespaces, isHTTP: false, Self.namespace)
            + self.principals(
                source.serviceAccounts,
                not: source.notServiceAccounts,
                isHTTP: false,
                self.serviceAccount
            )
            + self.principals(source.trustDomains, not: source.notTrustDomains, isHTTP: false, self.trustDomain)
            + self.principals(source.ipBlocks, not: source.notIPBlocks, isHTTP: false, Self.directBlock)
            + self.principals(source.remoteIPBlocks, not: source.notRemoteIPBlocks, isHTTP: false, Self.remoteBlock)
    }

    private func principals<Value>(
        _ values: [Value],
        not excluded: [Value],
        isHTTP: Bool,
        _ make: (Value) -> Principal
    ) throws(NeedsRequest) -> [Principal] {
        guard try self.mayAsk(isHTTP, values.isEmpty && excluded.isEmpty) else { return [] }
        var result: [Principal] = []
        if !values.isEmpty { result.append(.with { $0.orIds.ids = values.map(make) }) }
        if !excluded.isEmpty { result.append(.with { $0.notID = .with { $0.orIds.ids = excluded.map(make) } }) }
        return result
    }

    private static func peer(_ match: Envoy_Type_Matcher_V3_StringMatcher) -> Principal {
        .with { $0.authenticated.principalName = match }
    }

    /// A principal of one of the mesh's trust domains stands for the same in all of them.
    private func peer(_ value: String) -> Principal {
        let parts = value.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let domains = self.equalDomains(String(parts[0]))
        let names = domains.map { parts.count > 1 ? "\($0)/\(parts[1])" : $0 }
        let matches = names.map { Self.peer(PolicyMatch.text($0, after: "spiffe://")) }
        return matches.count == 1 ? matches[0] : .with { $0.orIds.ids = matches }
    }

    /// `cluster.local` in a policy always means the mesh's own trust domain, as in Istio.
    private func equalDomains(_ domain: String) -> [String] {
        guard self.trustDomains.contains(domain) || domain == "cluster.local" else { return [domain] }
        return domain == "cluster.local" && !self.trustDomains.contains(domain)
            ? self.trustDomains + [domain] : self.trustDomains
    }

    private static func namespace(_ value: String) -> Principal {
        Self.peer(PolicyMatch.regex("spiffe://[^/]+/ns/\(PolicyMatch.glob(value))/sa/.*"))
    }

    private func serviceAccount(_ value: String) -> Principal {
        let parts = value.split(separator: "/", maxSplits: 1).map(String.init)
        let namespace = parts.count == 2 ? parts[0] : self.namespace
        let name = PolicyMatch.glob(parts.last ?? "")
        return Self.peer(PolicyMatch.regex("spiffe://[^/]+/ns/\(PolicyMatch.glob(namespace))/sa/\(name)"))
    }

    private func trustDomain(_ value: String) -> Principal {
        let matches = self.equalDomains(value).map {
            Self.peer(PolicyMatch.regex("spiffe://\(PolicyMatch.glob($0))/.*"))
        }
        return matches.count == 1 ? matches[0] : .with { $0.orIds.ids = matches }
    }

    private static func directBlock(_ block: CIDR) -> Principal {
        .with { $0.directRemoteIp = Envoy_Config_Core_V3_CidrRange(block) }
    }

    private static func remoteBlock(_ block: CIDR) -> Principal {
        .with { $0.remoteIp = Envoy_Config_Core_V3_CidrRange(block) }
    }

    // MARK: Conditions

    /// What `when` adds to every operation and source.
    func groups(
        of conditions: [AuthorizationRules.Condition]
    ) throws(NeedsRequest) -> (permissions: [Permission], principals: [Principal]) {
        var permissions: [Permission] = []
        var principals: [Principal] = []
        for condition in conditions {
            permissions += try self.destination(condition)
            principals += try self.origin(condition)
        }
        return (permissions, principals)
    }

    /// Conditions on where a connection goes.
    private func destination(_ condition: AuthorizationRules.Condition) throws(NeedsRequest) -> [Permission] {
        let (values, excluded) = (condition.values, condition.notValues)
        switch condition.key {
        case "destination.ip":
            return try self.permissions(
                values.compactMap { CIDR($0) },
                not: excluded.compactMap { CIDR($0) },
                isHTTP: false
            ) {
                block in .with { $0.destinationIp = Envoy_Config_Core_V3_CidrRange(block) }
            }
        case "destination.port":
            let ports = values.compactMap { Int($0).flatMap(Port.init) }
            let others = excluded.compactMap { Int($0).flatMap(Port.init) }
            return try self.permissions(ports, not: others, isHTTP: false, Self.port)
        case "connection.sni":
            return try self.permissions(values, not: excluded, isHTTP: false) { value in
                .with { $0.requestedServerName = PolicyMatch.text(value) }
            }
        default: return []
        }
    }

    /// Conditions on where a connection or request comes from.
    private func origin(_ condition: AuthorizationRules.Condition) throws(NeedsRequest) -> [Principal] {
        let (values, excluded) = (condition.values, condition.notValues)
        func blocks(_ texts: [String]) -> [CIDR] { texts.compactMap { CIDR($0) } }
        switch condition.key {
        case "source.ip":
            return try self.principals(blocks(values), not: blocks(excluded), isHTTP: false, Self.directBlock)
        case "remote.ip":
            return try self.principals(blocks(values), not: blocks(excluded), isHTTP: false, Self.remoteBlock)
        case "source.namespace":
            return try self.principals(values, not: excluded, isHTTP: false, Self.namespace)
        case "source.principal":
            return try self.principals(values, not: excluded, isHTTP: false, self.peer)
        case "source.serviceAccount":
            return try self.principals(values, not: excluded, isHTTP: false, self.serviceAccount)
        case "source.trustDomain":
            return try self.principals(values, not: excluded, isHTTP: false, self.trustDomain)
        case "request.auth.principal":
            return try self.principals(values, not: excluded, isHTTP: true, TokenPrincipal.condition)
        case "request.auth.audiences":
            return try self.principals(values, not: excluded, isHTTP: true) { TokenPrincipal.claim(["aud"], $0) }
        case "request.auth.presenter":
            return try self.principals(values, not: excluded, isHTTP: true) { TokenPrincipal.claim(["azp"], $0) }
        default:
            if let path = Self.keys(condition.key, after: "request.auth.claims") {
                return try self.principals(values, not: excluded, isHTTP: true) { TokenPrincipal.claim(path, $0) }
            }
            guard let header = Self.keys(condition.key, after: "request.headers")?.first else { return [] }
            return try self.principals(values, not: excluded, isHTTP: true) { value in
                .with { $0.header = PolicyMatch.header(header, value) }
            }
        }
    }

    /// `request.auth.claims[a][b]` gives `a`, `b`; `nil`: something else.
    private static func keys(_ key: String, after prefix: String) -> [String]? {
        guard key.hasPrefix(prefix + "["), key.hasSuffix("]") else { return nil }
        let inner = key.dropFirst(prefix.count + 1).dropLast()
        return inner.split(separator: "][", omittingEmptySubsequences: false).map(String.init)
    }
}
