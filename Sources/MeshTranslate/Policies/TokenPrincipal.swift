import SwiftProtobuf
import XDSAPI

/// Conditions on verified tokens, whose payload Envoy's `jwt_authn` leaves in metadata.
enum TokenPrincipal {
    typealias Principal = Envoy_Config_Rbac_V3_Principal

    /// Where `jwt_authn` leaves payloads, and under which key.
    static let filter = "envoy.filters.http.jwt_authn"
    static let payloadKey = "payload"

    /// A claim that is text, or a list with such an element.
    static func claim(_ path: [String], _ value: String) -> Principal {
        self.claim(path, PolicyMatch.text(value))
    }

    private static func claim(_ path: [String], _ match: PolicyMatch.Matcher) -> Principal {
        let text = Envoy_Type_Matcher_V3_ValueMatcher.with { $0.stringMatch = match }
        return .with {
            $0.metadata.filter = Self.filter
            $0.metadata.path = ([Self.payloadKey] + path).map { key in .with { $0.key = key } }
            $0.metadata.value.orMatch.valueMatchers = [text, .with { $0.listMatch.oneOf = text }]
        }
    }

    /// A request principal, `ISSUER/SUBJECT`.
    ///
    /// Issuers have slashes in them and subjects may have, and Envoy compares the two claims apart. So every place
    /// where the text may be cut is tried; each cut is right exactly if both parts fit, whichever it was meant to be.
    static func condition(_ value: String) -> Principal {
        if value == "*" { return Self.both(PolicyMatch.text("*"), PolicyMatch.text("*")) }
        var choices: [Principal] = []
        if value.hasPrefix("*") {
            let end = String(value.dropFirst())
            for (issuer, subject) in Self.cuts(end) {
                choices.append(
                    Self.both(issuer.isEmpty ? PolicyMatch.text("*") : Self.suffix(issuer), Self.exact(subject))
                )
            }
            choices.append(Self.both(PolicyMatch.text("*"), Self.suffix(end)))
        } else if value.hasSuffix("*") {
            let start = String(value.dropLast())
            for (issuer, subject) in Self.cuts(start) {
                let rest = subject.isEmpty ? PolicyMatch.text("*") : PolicyMatch.Matcher.with { $0.prefix = subject }
                choices.append(Self.both(Self.exact(issuer), rest))
            }
            choices.append(Self.both(.with { $0.prefix = start }, PolicyMatch.text("*")))
        } else {
            choices = Self.cuts(value).map { Self.both(Self.exact($0), Self.exact($1)) }
        }
        return .with { $0.orIds.ids = choices }
    }

    private static func both(_ issuer: PolicyMatch.Matcher, _ subject: PolicyMatch.Matcher) -> Principal {
        .with { $0.andIds.ids = [Self.claim(["iss"], issuer), Self.claim(["sub"], subject)] }
    }

    private static func exact(_ text: String) -> PolicyMatch.Matcher { .with { $0.exact = text } }
    private static func suffix(_ text: String) -> PolicyMatch.Matcher { .with { $0.suffix = text } }

    /// The two sides of each slash.
    private static func cuts(_ text: String) -> [(String, String)] {
        text.indices.filter { text[$0] == "/" }.map { (String(text[..<$0]), String(text[text.index(after: $0)...])) }
    }
}
