internal import MeshModel

extension TextMatch {
    func holds(_ text: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .exact(let exact): text.equals(exact)
        case .prefix(let prefix): text.holds(prefix, at: 0)
        case .suffix(let suffix): text.holds(suffix, at: text.count - suffix.count)
        case .contains(let part): text.contains(part)
        case .regex(let pattern): pattern.matches(text)
        case .present: !text.isEmpty
        case .exactIgnoringCase(let exact): text.equals(exact, ignoringCase: true)
        case .prefixIgnoringCase(let prefix): text.holds(prefix, at: 0, ignoringCase: true)
        case .suffixIgnoringCase(let suffix): text.holds(suffix, at: text.count - suffix.count, ignoringCase: true)
        case .containsIgnoringCase(let part):
            text.count >= part.count
                && (0...text.count - part.count).contains { text.holds(part, at: $0, ignoringCase: true) }
        }
    }

    func holds(_ text: String) -> Bool {
        // Native strings are contiguous, so nothing is copied.
        text.utf8.withContiguousStorageIfAvailable { self.holds(UnsafeRawBufferPointer($0)) }
            ?? Array(text.utf8).withUnsafeBytes { self.holds($0) }
    }
}
