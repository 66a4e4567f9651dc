/// A regular expression on bytes: the common part of RE2's syntax, matched against the whole input in linear time.
///
/// Every state is tried side by side (Thompson's construction), so no expression and no input can make a match explode.
/// Input is bytes: `.` and negated classes stand for one byte, letters are compared without case only if ASCII.
package struct Pattern: Sendable {
    /// Why an expression was refused.
    package struct SyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
        package var message: String
        package var description: String { self.message }
    }

    /// Steps of a compiled expression; more are refused, so that a match of n bytes stays below n × 4096 steps.
    package static let stepsMax = 4096

    enum Step: Hashable, Sendable {
        /// A byte of the class at this index goes on to the next step.
        case byte(Int)
        /// Goes on in both places.
        case split(Int, Int)
        case jump(Int)
        case assertion(Assertion)
        case accept
    }

    enum Assertion: Hashable, Sendable { case start, end, wordBoundary, noWordBoundary }

    private let steps: [Step]
    private let classes: [ByteClass]

    /// Compiles `source`; throws with the reason if its syntax is wrong or not supported.
    package init(compiling source: String) throws(SyntaxError) {
        var parser = PatternParser(source)
        let node = try parser.parse()
        var compiler = PatternCompiler()
        try compiler.add(node)
        try compiler.add(.accept)
        self.steps = compiler.steps
        self.classes = compiler.classes
    }

    /// What a match costs for each byte, at most.
    package var stepCount: Int { self.steps.count }

    /// As `init(compiling:)`, `nil` instead of a reason.
    package init?(_ source: String) {
        do throws(SyntaxError) { self = try Pattern(compiling: source) } catch { return nil }
    }

    /// Whether the whole of `input` matches.
    package func matches(_ input: UnsafeRawBufferPointer) -> Bool {
        // Working memory on the stack (or one allocation if it is large): two sets of steps and a stack.
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: self.steps.count * 6) { memory in
            self.steps.withUnsafeBufferPointer { steps in
                self.classes.withUnsafeBufferPointer { classes in
                    var run = PatternRun(steps: steps, classes: classes, input: input, memory: memory)
                    return run.matches()
                }
            }
        }
    }

    package func matches(_ input: [UInt8]) -> Bool { input.withUnsafeBytes { self.matches($0) } }
}

/// A set of bytes.
struct ByteClass: Hashable, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init() {}

    init(_ ranges: ClosedRange<UInt8>...) {
        for range in ranges { self.insert(range) }
    }

    static func == (left: ByteClass, right: ByteClass) -> Bool { left.words == right.words }

    func hash(into hasher: inout Hasher) {
        hasher.combine(self.words.0)
        hasher.combine(self.words.1)
        hasher.combine(self.words.2)
        hasher.combine(self.words.3)
    }

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let bit = UInt64(1) << (byte & 63)
        switch byte >> 6 {
        case 0: return self.words.0 & bit != 0
        case 1: return self.words.1 & bit != 0
        case 2: return self.words.2 & bit != 0
        default: return self.words.3 & bit != 0
        }
    }

    mutating func insert(_ range: ClosedRange<UInt8>) {
        for byte in range {
            let bit = UInt64(1) << (byte & 63)
            switch byte >> 6 {
            case 0: self.words.0 |= bit
            case 1: self.words.1 |= bit
            case 2: self.words.2 |= bit
            default: self.words.3 |= bit
            }
        }
    }

    mutating func formUnion(_ other: ByteClass) {
        self.words.0 |= other.words.0
        self.words.1 |= other.words.1
        self.words.2 |= other.words.2
        self.words.3 |= other.words.3
    }

    var inverted: ByteClass {
        var result = ByteClass()
        result.words = (~self.words.0, ~self.words.1, ~self.words.2, ~self.words.3)
        return result
    }

    /// With the other case of every ASCII letter in it.
    var ignoringCase: ByteClass {
        var result = self
        for letter in UInt8(ascii: "a")...UInt8(ascii: "z") {
            if self.contains(letter) { result.insert(letter - 32...letter - 32) }
            if self.contains(letter - 32) { result.insert(letter...letter) }
        }
        return result
    }

    static let digits = ByteClass(0x30...0x39)
    /// RE2's `\s`: tab, line feed, form feed, carriage return, space.
    static let spaces = ByteClass(0x09...0x0a, 0x0c...0x0d, 0x20...0x20)
    static let word = ByteClass(0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a)
    static let all = ByteClass(0...255)
    static let allButNewline = ByteClass(0x0a...0x0a).inverted
}
