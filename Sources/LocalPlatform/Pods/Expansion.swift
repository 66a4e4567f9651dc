/// `$(NAME)` references in commands, arguments and values of a container's environment.
package enum Expansion {
    /// Replaces each `$(NAME)` that is known. `$$` stands for one dollar, so `$$(NAME)` stays `$(NAME)`; a reference
    /// to an unknown name stays as it is.
    package static func expand(_ text: String, _ variables: [String: String]) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            switch rest.first {
            case "$":
                result += "$"
                rest.removeFirst()
            case "(":
                if let end = rest.firstIndex(of: ")") {
                    let name = String(rest[rest.index(after: rest.startIndex)..<end])
                    result += variables[name] ?? "$(\(name))"
                    rest = rest[rest.index(after: end)...]
                } else {
                    result += "$"
                }
            default: result += "$"
            }
        }
        return result + rest
    }
}
