internal import Foundation

/// Takes keys out of what people are shown.
enum Redaction {
    static let text = "[redacted]"

    /// Fields of Envoy's messages that hold secrets (marked sensitive there).
    private static let names: Set<String> = [
        "private_key", "private_key_provider", "password", "pkcs12", "session_ticket_keys", "generic_secret", "secret",
    ]

    /// A JSON value with everything secret replaced, however deep it stands. A file's name is no secret.
    static func redacted(_ value: Any) -> Any { self.redacted(value, isSecret: false) }

    private static func redacted(_ value: Any, isSecret: Bool) -> Any {
        switch value {
        case let object as [String: Any]:
            var result: [String: Any] = [:]
            for (name, inner) in object {
                // `secret` of a dump is a whole secret with its type: it is looked into, not dropped.
                let isMessage = (inner as? [String: Any])?["@type"] != nil
                let begins = self.names.contains(name) && !isMessage
                result[name] = self.field(name, inner, isSecret: isSecret || begins)
            }
            return result
        case let list as [Any]: return list.map { self.redacted($0, isSecret: isSecret) }
        case let words as String where words.contains("PRIVATE KEY-----"): return self.text
        default: return value
        }
    }

    private static func field(_ name: String, _ value: Any, isSecret: Bool) -> Any {
        guard isSecret, value is String else { return self.redacted(value, isSecret: isSecret) }
        switch name {
        case "inline_string": return self.text
        case "inline_bytes": return Data(self.text.utf8).base64EncodedString()
        default: return self.redacted(value, isSecret: true)
        }
    }
}
