/// A DNS name in the form in which it is compared: lower case, no dot at its end, no punycode.
struct DomainName: Sendable, Hashable {
    let labels: [String]

    /// Letters, digits and hyphens in labels of 1 to 63 bytes, 253 in all; letters of other scripts, too. `nil` if
    /// the text is no such name.
    init?(_ text: String) {
        let name = text.utf8.last == UInt8(ascii: ".") ? text.dropLast() : text[...]
        guard !name.isEmpty, name.utf8.count <= 253 else { return nil }
        var labels: [String] = []
        for label in name.split(separator: ".", omittingEmptySubsequences: false) {
            guard (1...63).contains(label.utf8.count), Self.isLabel(label) else { return nil }
            let lower = label.lowercased()
            if lower.hasPrefix("xn--") {
                guard let decoded = Punycode.decode(lower.dropFirst(4)), Self.isLabel(decoded[...]) else { return nil }
                labels.append(decoded.lowercased())
            } else {
                labels.append(lower)
            }
        }
        self.labels = labels
    }

    private static func isLabel(_ label: Substring) -> Bool {
        guard label.first != "-", label.last != "-" else { return false }
        return label.unicodeScalars.allSatisfy { scalar in
            if scalar.isASCII {
                return scalar == "-" || ("0"..."9").contains(scalar) || ("a"..."z").contains(scalar)
                    || ("A"..."Z").contains(scalar)
            }
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
                .spacingMark, .decimalNumber:
                return true
            default: return false
            }
        }
    }
}

/// The encoding of international labels in ASCII (RFC 3492).
enum Punycode {
    /// What stands after `xn--`; `nil` if it encodes nothing.
    static func decode(_ text: Substring) -> String? {
        guard text.utf8.count <= 63, !text.isEmpty, text.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        var output: [Unicode.Scalar] = []
        var input = Array(text.utf8)[...]
        if let hyphen = input.lastIndex(of: UInt8(ascii: "-")) {
            output = input[..<hyphen].map { Unicode.Scalar($0) }
            input = input[(hyphen + 1)...]
        }
        var (code, index, bias) = (128, 0, 72)
        while !input.isEmpty {
            let before = index
            var weight = 1
            var step = 36
            while true {
                guard let byte = input.popFirst(), let digit = Self.digit(byte) else { return nil }
                // A label of 63 bytes stays far below this bound, so nothing here overflows.
                guard digit <= (0x7fff_ffff - index) / weight else { return nil }
                index += digit * weight
                let threshold = min(max(step - bias, 1), 26)
                if digit < threshold { break }
                guard weight <= 0x7fff_ffff / (36 - threshold) else { return nil }
                weight *= 36 - threshold
                step += 36
            }
            let count = output.count + 1
            bias = Self.bias(index - before, count, isFirst: before == 0)
            code += index / count
            index %= count
            guard code <= 0x10ffff, let scalar = Unicode.Scalar(UInt32(code)) else { return nil }
            output.insert(scalar, at: index)
            index += 1
        }
        return String(String.UnicodeScalarView(output))
    }

    private static func digit(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(byte) - 97
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(byte) - 65
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 22
        default: nil
        }
    }

    /// Section 6.1.
    private static func bias(_ delta: Int, _ count: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / 700 : delta / 2
        delta += delta / count
        var step = 0
        while delta > 455 {
            delta /= 35
            step += 36
        }
        return step + 36 * delta / (delta + 38)
    }
}
