internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Conditions of Envoy's RBAC.
///
/// Nothing is skipped: a condition that is not understood refuses the whole resource, as a rule without it would allow
/// or deny something else.
struct PolicyConditionBuilder {
    typealias Permission = Envoy_Config_Rbac_V3_Permission
    typealias Principal = Envoy_Config_Rbac_V3_Principal

    var findings = Findings()

    mutating func condition(_ message: Permission, at path: String) -> PolicyCondition {
        switch message.rule {
        case .andRules(let set):
            return .all(set.rules.enumerated().map { self.condition($1, at: "\(path).and_rules.rules[\($0)]") })
        case .orRules(let set):
            return .either(set.rules.enumerated().map { self.condition($1, at: "\(path).or_rules.rules[\($0)]") })
        case .any(let any): return any ? .any : .not(.any)
        case .header(let header): return self.header(header, at: "\(path).header")
        case .destinationIp(let block): return self.block(block, at: "\(path).destination_ip") { .destinationBlock($0) }
        case .destinationPort(let port): return self.port(port, at: "\(path).destination_port")
        case .metadata(let metadata): return self.metadata(metadata, at: "\(path).metadata")
        case .notRule(let rule): return .not(self.condition(rule, at: "\(path).not_rule"))
        case .requestedServerName(let name):
            return self.text(name, at: "\(path).requested_server_name") { .requestedServerName($0) }
        case .urlPath(let matcher): return self.text(matcher.path, at: "\(path).url_path.path") { .path($0) }
        case .destinationPortRange(let range): return self.ports(range, at: "\(path).destination_port_range")
        case .sourcedMetadata, nil:
            self.findings.add(path, "no supported condition")
            return .not(.any)
        }
    }

    mutating func condition(_ message: Principal, at path: String) -> PolicyCondition {
        switch message.identifier {
        case .andIds(let set):
            return .all(set.ids.enumerated().map { self.condition($1, at: "\(path).and_ids.ids[\($0)]") })
        case .orIds(let set):
            return .either(set.ids.enumerated().map { self.condition($1, at: "\(path).or_ids.ids[\($0)]") })
        case .any(let any): return any ? .any : .not(.any)
        case .authenticated(let peer):
            guard peer.hasPrincipalName else { return .principal(nil) }
            return self.text(peer.principalName, at: "\(path).authenticated.principal_name") { .principal($0) }
        case .sourceIp(let block): return self.block(block, at: "\(path).source_ip") { .sourceBlock($0) }
        case .directRemoteIp(let block): return self.block(block, at: "\(path).direct_remote_ip") { .sourceBlock($0) }
        case .remoteIp(let block): return self.block(block, at: "\(path).remote_ip") { .remoteBlock($0) }
        case .header(let header): return self.header(header, at: "\(path).header")
        case .metadata(let metadata): return self.metadata(metadata, at: "\(path).metadata")
        case .notID(let principal): return .not(self.condition(principal, at: "\(path).not_id"))
        case .urlPath(let matcher): return self.text(matcher.path, at: "\(path).url_path.path") { .path($0) }
        case .filterState, .sourcedMetadata, nil:
            self.findings.add(path, "no supported condition")
            return .not(.any)
        }
    }

    // MARK: Parts

    private mutating func header(
        _ message: Envoy_Config_Route_V3_HeaderMatcher,
        at path: String
    ) -> PolicyCondition {
        // Hosts are compared without regard to case, which `HeaderMatch` has no form for.
        if message.name.lowercased() == ":authority", case .stringMatch(let matcher) = message.headerMatchSpecifier {
            let condition = self.text(matcher, at: "\(path).string_match") { .authority($0) }
            return message.invertMatch ? .not(condition) : condition
        }
        guard let match = RouteMatchBuilder.header(message, at: path, &self.findings) else { return .not(.any) }
        return .header(match)
    }

    private mutating func block(
        _ message: Envoy_Config_Core_V3_CidrRange,
        at path: String,
        _ make: (CIDR) -> PolicyCondition
    ) -> PolicyCondition {
        guard let ip = IPAddress(message.addressPrefix),
            let block = CIDR(address: ip, prefixLength: Int(message.prefixLen.value))
        else {
            self.findings.add(path, "`\(message.addressPrefix)/\(message.prefixLen.value)` is no block of addresses")
            return .not(.any)
        }
        return make(block)
    }

    private mutating func port(_ port: UInt32, at path: String) -> PolicyCondition {
        guard let port = UInt16(exactly: port) else {
            self.findings.add(path, "\(port) is no port")
            return .not(.any)
        }
        return .destinationPort(port)
    }

    /// From `start` to before `end`.
    private mutating func ports(_ range: Envoy_Type_V3_Int32Range, at path: String) -> PolicyCondition {
        guard let start = UInt16(exactly: range.start), range.start < range.end, range.end <= 65536 else {
            self.findings.add(path, "\(range.start) to \(range.end) is no range of ports")
            return .not(.any)
        }
        guard range.end - range.start <= 1024 else {
            self.findings.add(path, "a range of more than 1024 ports is not supported")
            return .not(.any)
        }
        return .either((start...UInt16(range.end - 1)).map { .destinationPort($0) })
    }

    private mutating func text(
        _ message: Envoy_Type_Matcher_V3_StringMatcher,
        at path: String,
        _ make: (TextMatch) -> PolicyCondition
    ) -> PolicyCondition {
        self.match(message, at: path).map(make) ?? .not(.any)
    }

    mutating func match(_ message: Envoy_Type_Matcher_V3_StringMatcher, at path: String) -> TextMatch? {
        let ignoresCase = message.ignoreCase
        switch message.matchPattern {
        case .exact(let text): return ignoresCase ? .exactIgnoringCase(Array(text.utf8)) : .exact(Array(text.utf8))
        case .prefix(let text): return ignoresCase ? .prefixIgnoringCase(Array(text.utf8)) : .prefix(Array(text.utf8))
        case .suffix(let text): return ignoresCase ? .suffixIgnoringCase(Array(text.utf8)) : .suffix(Array(text.utf8))
        case .contains(let text):
            return ignoresCase ? .containsIgnoringCase(Array(text.utf8)) : .contains(Array(text.utf8))
        case .safeRegex(let regex):
            // Istio's form of "anything that is there".
            if regex.regex == ".+" { return .present }
            do { return .regex(try Pattern(compiling: regex.regex)) } catch {
                self.findings.add("\(path).safe_regex.regex", "`\(regex.regex)`: \(error)")
                return nil
            }
        case nil:
            self.findings.add(path, "one of exact, prefix, suffix, contains, safe_regex is needed")
            return nil
        }
    }

    /// Only what `jwt_authn` leaves there is known here.
    private mutating func metadata(
        _ message: Envoy_Type_Matcher_V3_MetadataMatcher,
        at path: String
    ) -> PolicyCondition {
        let names = message.path.map(\.key)
        guard message.filter == PolicyMetadata.tokens, names.first == PolicyMetadata.payloadKey, names.count > 1 else {
            self.findings.add(
                path,
                "only claims of tokens are supported: filter \(PolicyMetadata.tokens), path beginning with "
                    + PolicyMetadata.payloadKey
            )
            return .not(.any)
        }
        let claim = Array(names.dropFirst())
        let matches = self.values(message.value, at: "\(path).value")
        let condition = PolicyCondition.either(matches.map { .claim(path: claim, $0) })
        return message.invert ? .not(condition) : condition
    }

    /// Text and lists of text are compared alike, so a choice of both is one comparison.
    private mutating func values(_ message: Envoy_Type_Matcher_V3_ValueMatcher, at path: String) -> [TextMatch] {
        switch message.matchPattern {
        case .stringMatch(let matcher): return [self.match(matcher, at: "\(path).string_match")].compactMap { $0 }
        case .listMatch(let list): return self.values(list.oneOf, at: "\(path).list_match.one_of")
        case .orMatch(let or):
            let isTextOrList =
                or.valueMatchers.count == 2 && or.valueMatchers[0] == or.valueMatchers[1].listMatch.oneOf
            let matchers = isTextOrList ? Array(or.valueMatchers.prefix(1)) : or.valueMatchers
            return matchers.enumerated().flatMap {
                self.values($1, at: "\(path).or_match.value_matchers[\($0)]")
            }
        case .nullMatch, .doubleMatch, .boolMatch, .presentMatch, nil:
            self.findings.add(path, "one of string_match, list_match, or_match is needed")
            return []
        }
    }
}

/// Names under which filters leave notes for the ones behind them.
enum PolicyMetadata {
    static let tokens = "envoy.filters.http.jwt_authn"
    static let payloadKey = "payload"
    static let httpRules = "envoy.filters.http.rbac"
    static let networkRules = "envoy.filters.network.rbac"
    static let shadowPolicy = "shadow_effective_policy_id"
}
