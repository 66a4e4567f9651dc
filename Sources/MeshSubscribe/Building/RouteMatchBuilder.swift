internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Conditions of routes.
enum RouteMatchBuilder {
    static func build(
        _ message: Envoy_Config_Route_V3_RouteMatch,
        at path: String,
        _ findings: inout Findings
    ) -> RouteMatch? {
        guard let matchedPath = Self.path(message, at: path, &findings) else { return nil }
        if message.hasRuntimeFraction, !Self.isAlways(message.runtimeFraction.defaultValue) {
            findings.add("\(path).runtime_fraction", "only a fraction of 100 % is supported")
        }
        var headers: [HeaderMatch] = []
        for (index, header) in message.headers.enumerated() {
            if let match = Self.header(header, at: "\(path).headers[\(index)]", &findings) { headers.append(match) }
        }
        if message.hasGrpc {
            headers.append(
                HeaderMatch(name: Array("content-type".utf8), value: .prefix(Array("application/grpc".utf8)))
            )
        }
        var parameters: [HeaderMatch] = []
        for (index, parameter) in message.queryParameters.enumerated() {
            let path = "\(path).query_parameters[\(index)]"
            if let match = Self.parameter(parameter, at: path, &findings) { parameters.append(match) }
        }
        return RouteMatch(
            path: matchedPath,
            isCaseSensitive: message.hasCaseSensitive ? message.caseSensitive.value : true,
            headers: headers,
            queryParameters: parameters
        )
    }

    private static func path(
        _ message: Envoy_Config_Route_V3_RouteMatch,
        at path: String,
        _ findings: inout Findings
    ) -> RouteMatch.Path? {
        switch message.pathSpecifier {
        case .prefix(let prefix): return .prefix(Array(prefix.utf8))
        case .path(let exact): return .exact(Array(exact.utf8))
        case .pathSeparatedPrefix(let prefix): return .separatedPrefix(Array(prefix.utf8))
        case .safeRegex(let regex):
            return Self.pattern(regex.regex, at: "\(path).safe_regex.regex", &findings).map { .regex($0) }
        case .connectMatcher:
            findings.add(
                path,
                "connect_matcher is not supported; supported: prefix, path, path_separated_prefix, safe_regex"
            )
            return nil
        case nil:
            findings.add(path, "one of prefix, path, path_separated_prefix, safe_regex is needed")
            return nil
        }
    }

    private static func isAlways(_ fraction: Envoy_Type_V3_FractionalPercent) -> Bool {
        switch fraction.denominator {
        case .hundred: fraction.numerator >= 100
        case .tenThousand: fraction.numerator >= 10_000
        case .million: fraction.numerator >= 1_000_000
        case .UNRECOGNIZED: false
        }
    }

    private static func pattern(_ source: String, at path: String, _ findings: inout Findings) -> Pattern? {
        do { return try Pattern(compiling: source) } catch {
            findings.add(path, "`\(source)`: \(error)")
            return nil
        }
    }

    static func header(
        _ message: Envoy_Config_Route_V3_HeaderMatcher,
        at path: String,
        _ findings: inout Findings
    ) -> HeaderMatch? {
        guard !message.name.isEmpty else {
            findings.add("\(path).name", "a header's name is needed")
            return nil
        }
        var isInverted = message.invertMatch
        let value: HeaderMatch.Value?
        switch message.headerMatchSpecifier {
        case nil: value = .present
        case .presentMatch(let present):
            value = .present
            if !present { isInverted.toggle() }
        case .exactMatch(let text): value = .exact(Array(text.utf8))
        case .prefixMatch(let text): value = .prefix(Array(text.utf8))
        case .suffixMatch(let text): value = .suffix(Array(text.utf8))
        case .containsMatch(let text): value = .contains(Array(text.utf8))
        case .safeRegexMatch(let regex):
            value = Self.pattern(regex.regex, at: "\(path).safe_regex_match.regex", &findings).map { .regex($0) }
        case .stringMatch(let matcher):
            value = Self.string(matcher, at: "\(path).string_match", &findings)
        case .rangeMatch:
            value = nil  // the audit of fields has named it
        }
        return value.map {
            HeaderMatch(
                name: Array(message.name.lowercased().utf8),
                value: $0,
                isInverted: isInverted,
                treatsMissingAsEmpty: message.treatMissingHeaderAsEmpty
            )
        }
    }

    private static func parameter(
        _ message: Envoy_Config_Route_V3_QueryParameterMatcher,
        at path: String,
        _ findings: inout Findings
    ) -> HeaderMatch? {
        let name = Array(message.name.utf8)
        switch message.queryParameterMatchSpecifier {
        case nil: return HeaderMatch(name: name, value: .present)
        case .presentMatch(let present): return HeaderMatch(name: name, value: .present, isInverted: !present)
        case .stringMatch(let matcher):
            return Self.string(matcher, at: "\(path).string_match", &findings).map {
                HeaderMatch(name: name, value: $0)
            }
        }
    }

    private static func string(
        _ message: Envoy_Type_Matcher_V3_StringMatcher,
        at path: String,
        _ findings: inout Findings
    ) -> HeaderMatch.Value? {
        if message.ignoreCase { return Self.caseless(message, at: path, &findings) }
        switch message.matchPattern {
        case .exact(let text): return .exact(Array(text.utf8))
        case .prefix(let text): return .prefix(Array(text.utf8))
        case .suffix(let text): return .suffix(Array(text.utf8))
        case .contains(let text): return .contains(Array(text.utf8))
        case .safeRegex(let regex):
            return Self.pattern(regex.regex, at: "\(path).safe_regex.regex", &findings).map { .regex($0) }
        case nil:
            findings.add(path, "one of exact, prefix, suffix, contains, safe_regex is needed")
            return nil
        }
    }

    /// Without regard to case: as a pattern, since it is rare.
    private static func caseless(
        _ message: Envoy_Type_Matcher_V3_StringMatcher,
        at path: String,
        _ findings: inout Findings
    ) -> HeaderMatch.Value? {
        func quoted(_ text: String) -> String { "\\Q" + text.replacing("\\E", with: "\\E\\\\E\\Q") + "\\E" }
        let source: String
        switch message.matchPattern {
        case .exact(let text): source = quoted(text)
        case .prefix(let text): source = quoted(text) + ".*"
        case .suffix(let text): source = ".*" + quoted(text)
        case .contains(let text): source = ".*" + quoted(text) + ".*"
        case .safeRegex(let regex): source = regex.regex  // Envoy ignores `ignore_case` here as well
        case nil:
            findings.add(path, "one of exact, prefix, suffix, contains is needed")
            return nil
        }
        return Self.pattern("(?is)" + source, at: path, &findings).map { .regex($0) }
    }
}
