/// Names of headers as Istio's providers list them: `x-a`, `x-*`, `*-id`, `*`.
struct HeaderPatterns {
    let patterns: [String]

    /// `name` in lower case.
    func contains(_ name: String) -> Bool {
        self.patterns.contains { pattern in
            if pattern == "*" { return true }
            if pattern.hasSuffix("*") { return name.hasPrefix(pattern.dropLast()) }
            if pattern.hasPrefix("*") { return name.hasSuffix(pattern.dropFirst()) }
            return pattern == name
        }
    }
}
