internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// What a route says for filters of its own: only about scripts of other origins.
enum CrossOriginBuilder {
    private typealias Message = Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy

    static func build(
        _ settings: [String: Google_Protobuf_Any],
        at path: String,
        _ findings: inout Findings
    ) -> CrossOriginPolicy? {
        var result: CrossOriginPolicy?
        for (name, setting) in settings.sorted(by: { $0.key < $1.key }) {
            let path = "\(joined(path, "typed_per_filter_config"))[\(name)]"
            guard setting.isA(Message.self) else {
                findings.add(path, "\(setting.typeURL) is not supported; supported: CorsPolicy")
                continue
            }
            guard let message = setting.unpacked(Message.self, at: path, &findings) else { continue }
            result = Self.policy(message, at: path, &findings)
        }
        return result
    }

    private static func policy(_ message: Message, at path: String, _ findings: inout Findings) -> CrossOriginPolicy {
        var builder = PolicyConditionBuilder()
        let origins = message.allowOriginStringMatch.enumerated().compactMap { index, matcher in
            builder.match(matcher, at: "\(path).allow_origin_string_match[\(index)]")
        }
        findings.append(builder.findings.list)
        for text in [message.allowMethods, message.allowHeaders, message.exposeHeaders, message.maxAge]
        where !text.utf8.allSatisfy({ $0 >= 32 && $0 != 127 }) {
            findings.add(path, "`\(text)` cannot be the value of a header")
        }
        return CrossOriginPolicy(
            origins: origins,
            methods: Array(message.allowMethods.utf8),
            headers: Array(message.allowHeaders.utf8),
            headersExposed: Array(message.exposeHeaders.utf8),
            maxAge: Array(message.maxAge.utf8),
            allowsCredentials: message.allowCredentials.value,
            // Envoy's default is to pass them on.
            forwardsUnmatchedPreflights: !message.hasForwardNotMatchingPreflights
                || message.forwardNotMatchingPreflights.value
        )
    }
}
