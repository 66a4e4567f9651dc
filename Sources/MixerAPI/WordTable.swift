/// Gives texts their numbers while a message is written.
package struct WordTable {
    private let global: [String: Int32]
    private let globalCount: Int32
    private var own: [String: Int32] = [:]
    package private(set) var words: [String] = []

    /// For a reader that knows `globalWordCount` words of the global list.
    package init(globalWordCount: Int) {
        let list = GlobalWords.standard
        self.global = list.indices
        self.globalCount = Int32(clamping: min(globalWordCount, list.words.count))
    }

    /// The number of a text. Readers take 0 for "not read by key", so the key of a map gets another number.
    package mutating func number(of text: String, isKey: Bool = false) -> Int32 {
        if let number = self.global[text], number < self.globalCount, !isKey || number > 0 { return number }
        if let number = self.own[text] { return number }
        let number = -1 - Int32(clamping: self.words.count)
        self.own[text] = number
        self.words.append(text)
        return number
    }
}
