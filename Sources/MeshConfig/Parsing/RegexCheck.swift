/// Finds regular expressions that proxies would refuse.
///
/// A proxy refuses a whole table of routes for one bad expression, so it must not get that far. RE2, which the API
/// promises, has no look-around and no back-references; for the rest the standard library's syntax is close enough.
enum RegexCheck {
    /// RE2's own limit depends on the program's size; nothing sensible is longer than this.
    static let bytesMax = 4096

    /// What is wrong with an expression; `nil` if nothing is.
    static func problem(with pattern: String) -> String? {
        if pattern.utf8.count > self.bytesMax { return "is longer than \(self.bytesMax) bytes" }
        if let construct = self.foreignConstruct(in: pattern) {
            return "uses \(construct), which RE2 does not have"
        }
        do {
            // RE2 and Python write named groups with a P.
            _ = try Regex(pattern.replacing("(?P<", with: "(?<"))
            return nil
        } catch {
            return "is no regular expression: \(error)"
        }
    }

    private static func foreignConstruct(in pattern: String) -> String? {
        var bytes = Array(pattern.utf8)[...]
        while let byte = bytes.popFirst() {
            if byte == UInt8(ascii: "\\") {
                if let next = bytes.popFirst(), (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(next) {
                    return "a back-reference"
                }
            } else if byte == UInt8(ascii: "(") {
                for construct in ["?=", "?!", "?<=", "?<!"] where bytes.starts(with: construct.utf8) {
                    return "look-around"
                }
                if bytes.starts(with: "?>".utf8) { return "an atomic group" }
            }
        }
        return nil
    }
}
