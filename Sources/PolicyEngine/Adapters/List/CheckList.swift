internal import MeshModel

/// A list to look texts up in.
struct CheckList: Sendable {
    enum EntryType: String, CaseIterable, Sendable {
        case strings = "STRINGS"
        case caseInsensitiveStrings = "CASE_INSENSITIVE_STRINGS"
        case addresses = "IP_ADDRESSES"
        case patterns = "REGEX"
    }

    /// Each pattern is tried for each check.
    private static let patternsMax = 1000
    /// Steps of all patterns times bytes of the text: with what one pattern may do, a thousand took a minute.
    private static let workMax = 8 * TextSearch.workMax

    private let type: EntryType
    /// By bytes: Swift takes other spellings of a character for the same text.
    private var texts: Set<[UInt8]> = []
    private var ranges: [CIDR] = []
    private var patterns: [TextSearch] = []
    private var stepCount = 0

    init(_ type: EntryType) { self.type = type }

    /// What is wrong with an entry; `nil` if it was added.
    mutating func add(_ entry: String) -> String? {
        switch self.type {
        case .strings: self.texts.insert(Array(entry.utf8))
        case .caseInsensitiveStrings: self.texts.insert(Array(entry.lowercased().utf8))
        case .addresses:
            guard let range = CIDR(entry) else {
                return "\(AttributeValue.quoted(entry)) is no address and no range"
            }
            self.ranges.append(range)
        case .patterns:
            guard self.patterns.count < Self.patternsMax else { return "more than \(Self.patternsMax) patterns" }
            do throws(TextSearch.Invalid) {
                let pattern = try TextSearch(entry)
                self.patterns.append(pattern)
                self.stepCount += pattern.stepCount
            } catch {
                return "\(AttributeValue.quoted(entry)) is no pattern: \(error)"
            }
        }
        return nil
    }

    /// `nil` if the text cannot be looked up: it is no address, or too long for a pattern.
    func contains(_ text: String) -> Bool? {
        switch self.type {
        case .strings: return self.texts.contains(Array(text.utf8))
        case .caseInsensitiveStrings: return self.texts.contains(Array(text.lowercased().utf8))
        case .addresses:
            guard let address = IPAddress(text), case .ipAddress(let plain) = AttributeValue.address(address) else {
                return nil
            }
            return self.ranges.contains { $0.contains(plain) }
        case .patterns:
            guard text.utf8.count <= Self.workMax / max(1, self.stepCount) else { return nil }
            var isKnown = true
            for pattern in self.patterns {
                do throws(EvaluationError) {
                    if try pattern.isFound(in: text) { return true }
                } catch {
                    isKnown = false
                }
            }
            return isKnown ? false : nil
        }
    }
}
