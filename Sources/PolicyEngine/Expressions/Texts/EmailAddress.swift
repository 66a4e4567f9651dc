/// An e-mail address without a display name, for comparison: the part before `@` as it is, the domain as a DNS name.
struct EmailAddress: Sendable, Hashable {
    let local: String
    let domain: DomainName

    /// RFC 5322's `addr-spec`, alone or in angle brackets, without comments or literal addresses; `nil` otherwise.
    init?(_ text: String) {
        var rest = text[...]
        if rest.first == "<", rest.last == ">" { rest = rest.dropFirst().dropLast() }
        guard rest.utf8.count <= 320, let at = rest.lastIndex(of: "@"),
            let domain = DomainName(String(rest[rest.index(after: at)...])),
            let local = Self.local(rest[..<at])
        else { return nil }
        self.local = local
        self.domain = domain
    }

    private static func local(_ text: Substring) -> String? {
        guard !text.isEmpty, text.utf8.count <= 64 else { return nil }
        if text.first == "\"" { return Self.quoted(text) }
        // Words of these characters with single dots between them.
        let special = Set("!#$%&'*+-/=?^_`{|}~".unicodeScalars)
        let words = text.split(separator: ".", omittingEmptySubsequences: false)
        let areWords = words.allSatisfy { word in
            !word.isEmpty
                && word.unicodeScalars.allSatisfy { scalar in
                    scalar.value >= 0x80 || special.contains(scalar) || ("0"..."9").contains(scalar)
                        || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
                }
        }
        return areWords ? String(text) : nil
    }

    /// What stands between quotes, without the backslashes.
    private static func quoted(_ text: Substring) -> String? {
        guard text.count >= 2, text.last == "\"" else { return nil }
        var result = ""
        var isEscaped = false
        for scalar in text.dropFirst().dropLast().unicodeScalars {
            guard scalar.value >= 0x20, scalar.value != 0x7f else { return nil }
            if !isEscaped {
                if scalar == "\\" {
                    isEscaped = true
                    continue
                }
                if scalar == "\"" { return nil }
            }
            isEscaped = false
            result.unicodeScalars.append(scalar)
        }
        return isEscaped ? nil : result
    }
}
