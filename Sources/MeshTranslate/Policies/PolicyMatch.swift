import SwiftProtobuf
import XDSAPI

/// Comparisons in the form of Istio's policies: `x`, `x*`, `*x`, and `*` for anything that is there.
enum PolicyMatch {
    typealias Matcher = Envoy_Type_Matcher_V3_StringMatcher

    static func text(_ value: String, ignoresCase: Bool = false) -> Matcher {
        if value == "*" { return Self.regex(".+") }
        return .with {
            // An expression has no use for the flag.
            $0.ignoreCase = ignoresCase
            if value.hasPrefix("*") {
                $0.suffix = String(value.dropFirst())
            } else if value.hasSuffix("*") {
                $0.prefix = String(value.dropLast())
            } else {
                $0.exact = value
            }
        }
    }

    /// With `prefix` in front of all that may match; of `*x` only the end is compared, but something like `prefix` is
    /// always there.
    static func text(_ value: String, after prefix: String) -> Matcher {
        if value == "*" { return Self.regex(Self.quoted(prefix) + ".+") }
        if value.hasPrefix("*") {
            return Self.regex(Self.quoted(prefix) + ".*" + Self.quoted(String(value.dropFirst())))
        }
        return Self.text(prefix + value)
    }

    static func regex(_ expression: String) -> Matcher { .with { $0.safeRegex.regex = expression } }

    /// A path, or a template: `{*}` stands for one segment, `{**}` for any number of them.
    static func path(_ value: String) -> Matcher {
        guard value.contains("{*}") || value.contains("{**}") else { return Self.text(value) }
        var expression = ""
        var rest = Substring(value)
        while let brace = rest.firstIndex(of: "{") {
            expression += Self.quoted(String(rest[..<brace]))
            rest = rest[brace...]
            if rest.hasPrefix("{**}") {
                expression += ".*"
                rest = rest.dropFirst(4)
            } else if rest.hasPrefix("{*}") {
                expression += "[^/]+"
                rest = rest.dropFirst(3)
            } else {
                expression += "\\{"
                rest = rest.dropFirst()
            }
        }
        return Self.regex(expression + Self.quoted(String(rest)))
    }

    static func header(
        _ name: String,
        _ value: String,
        ignoresCase: Bool = false
    ) -> Envoy_Config_Route_V3_HeaderMatcher {
        .with {
            $0.name = name
            if value == "*" {
                $0.presentMatch = true
            } else {
                $0.stringMatch = Self.text(value, ignoresCase: ignoresCase)
            }
        }
    }

    /// An expression for a name in which `*` stands for anything but `/`.
    static func glob(_ value: String) -> String {
        value.split(separator: "*", omittingEmptySubsequences: false).map { Self.quoted(String($0)) }
            .joined(separator: "[^/]*")
    }

    /// Text that stands for itself in an expression.
    static func quoted(_ text: String) -> String {
        var result = ""
        for character in text {
            if "\\.+*?()|[]{}^$".contains(character) { result.append("\\") }
            result.append(character)
        }
        return result
    }
}
