/// A path in which some parts may be any text, such as `/pets/{id}`: level 1 of RFC 6570, as APIs describe themselves.
///
/// What stands between two slashes is a text, or one variable with perhaps a text in front and behind. As in Istio, `*` and
/// `{name=*}` are variables as well, and `**` or `{name=**}` at the end stands for all that follows.
package struct URITemplate: Hashable, Sendable {
    package enum Segment: Hashable, Sendable {
        case text([UInt8])
        /// At least one byte between these.
        case variable(prefix: [UInt8], suffix: [UInt8])
    }

    package struct SyntaxError: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    /// Longer ones are refused; so many bytes of a path are looked at, at most, for each of them.
    package static let bytesMax = 2048
    package static let segmentsMax = 64

    package let source: String
    package let segments: [Segment]
    /// Anything may follow, or nothing.
    package let isOpen: Bool

    package init(parsing source: String) throws(SyntaxError) {
        self.source = source
        let bytes = Array(source.utf8)
        guard bytes.count <= Self.bytesMax else {
            throw SyntaxError(description: "is longer than \(Self.bytesMax) bytes")
        }
        guard bytes.first == UInt8(ascii: "/") else { throw SyntaxError(description: "does not begin with `/`") }
        var parts = Self.parts(bytes[1...])
        guard parts.count <= Self.segmentsMax else {
            throw SyntaxError(description: "has more than \(Self.segmentsMax) parts")
        }
        // A slash at the end says nothing, in a template as in a path.
        while parts.last?.isEmpty ?? false { parts.removeLast() }
        var segments: [Segment] = []
        var isOpen = false
        for (index, part) in parts.enumerated() {
            switch try Self.parse(part) {
            case .segment(let segment): segments.append(segment)
            case .rest:
                guard index == parts.count - 1 else { throw SyntaxError(description: "has `**` before its end") }
                isOpen = true
            }
        }
        self.segments = segments
        self.isOpen = isOpen
    }

    /// What stands between slashes, those inside of braces apart.
    private static func parts(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var isInBraces = false
        return bytes.split(omittingEmptySubsequences: false) { byte in
            if byte == UInt8(ascii: "{") { isInBraces = true }
            if byte == UInt8(ascii: "}") { isInBraces = false }
            return byte == UInt8(ascii: "/") && !isInBraces
        }
    }

    private enum Part {
        case segment(Segment)
        case rest
    }

    private static func parse(_ part: ArraySlice<UInt8>) throws(SyntaxError) -> Part {
        if part.elementsEqual("*".utf8) { return .segment(.variable(prefix: [], suffix: [])) }
        if part.elementsEqual("**".utf8) { return .rest }
        guard let open = part.firstIndex(of: UInt8(ascii: "{")) else { return .segment(.text(try Self.text(part))) }
        guard let close = part[open...].firstIndex(of: UInt8(ascii: "}")) else {
            throw SyntaxError(description: "has a `{` without `}`")
        }
        let (prefix, suffix) = (try Self.text(part[..<open]), try Self.text(part[(close + 1)...]))
        let expression = part[(open + 1)..<close]
        let equals = expression.firstIndex(of: UInt8(ascii: "=")) ?? expression.endIndex
        guard Self.isName(expression[..<equals]) else {
            let text = String(decoding: expression, as: UTF8.self)
            throw SyntaxError(description: "has `{\(text)}`, which is no `{NAME}`")
        }
        let form = expression[equals...].dropFirst()
        if equals == expression.endIndex || form.elementsEqual("*".utf8) {
            return .segment(.variable(prefix: prefix, suffix: suffix))
        }
        guard form.elementsEqual("**".utf8), prefix.isEmpty, suffix.isEmpty else {
            throw SyntaxError(description: "has a variable that is neither `{NAME}`, `{NAME=*}` nor `{NAME=**}`")
        }
        return .rest
    }

    /// `varname` of RFC 6570 section 2.3, without percent-encoding.
    private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty && part.allSatisfy { Self.isLetterOrDigit($0) || $0 == UInt8(ascii: "_") }
        }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    /// What a path may have besides letters, digits and percent-encoding (RFC 3986 section 3.3).
    private static let signs = Set("-._~!$&'()*+,;=:@%".utf8)

    private static func text(_ bytes: ArraySlice<UInt8>) throws(SyntaxError) -> [UInt8] {
        for byte in bytes where !Self.isLetterOrDigit(byte) && !Self.signs.contains(byte) {
            switch byte {
            case UInt8(ascii: "{"): throw SyntaxError(description: "has two variables between two slashes")
            case UInt8(ascii: "?"), UInt8(ascii: "#"):
                throw SyntaxError(description: "has a query, and only paths are compared")
            default: throw SyntaxError(description: "has a sign that no path has; write it with `%`")
            }
        }
        return Array(bytes)
    }
}
