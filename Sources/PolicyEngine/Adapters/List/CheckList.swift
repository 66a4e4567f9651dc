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

    private let type: EntryType
    private var texts: Set<String> = []
    private var ranges: [CIDR] = []
    private var patterns: [TextSearch] = []

    init(_ type: EntryType) { self.type = type }

    /// What is wrong with an entry; `nil` if it was added.
    mutating func add(_ entry: String) -> String? {
        switch self.type {
        case .strings: self.texts.insert(entry)
        case .caseInsensitiveStrings: self.texts.insert(entry.lowercased())
        case .addresses:
            guard let range = CIDR(entry) else {
                return "\(AttributeValue.quoted(entry)) is no address and no range"
            }
            self.ranges.append(range)
        case .patterns:
            guard self.patterns.count < Self.patternsMax else { return "more than \(Self.patternsMax) patterns" }
            do throws(TextSearch.Invalid) {
                self.patterns.append(try TextSearch(entry))
            } catch {
                return "\(AttributeValue.quoted(entry)) is no pattern: \(error)"
            }
        }
        return nil
    }

    /// `nil` if the text cannot be looked up: it is no address, or too long for a pattern.
    func contains(_ text: String) -> Bool? {
        switch self.type {
        case .strings: return self.texts.contains(text)
        case .caseInsensitiveStrings: return self.texts.contains(text.lowercased())
        case .addresses:
            guard let address = IPAddress(text), case .ipAddress(let plain) = AttributeValue.address(address) else {
                return nil
            }
            return self.ranges.contains { $0.contains(plain) }
        case .patterns:
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
