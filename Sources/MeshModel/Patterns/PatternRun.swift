/// One match of a pattern: the set of steps that the input so far can have led to, moved on byte by byte.
struct PatternRun {
    private let steps: UnsafeBufferPointer<Pattern.Step>
    private let classes: UnsafeBufferPointer<ByteClass>
    private let input: UnsafeRawBufferPointer
    private var current: StepSet
    private var following: StepSet
    private let stack: UnsafeMutableBufferPointer<UInt16>

    /// `memory` holds six numbers for each step.
    init(
        steps: UnsafeBufferPointer<Pattern.Step>,
        classes: UnsafeBufferPointer<ByteClass>,
        input: UnsafeRawBufferPointer,
        memory: UnsafeMutableBufferPointer<UInt16>
    ) {
        self.steps = steps
        self.classes = classes
        self.input = input
        let count = steps.count
        memory.initialize(repeating: 0)
        func part(_ index: Int, _ length: Int = 1) -> UnsafeMutableBufferPointer<UInt16> {
            UnsafeMutableBufferPointer(rebasing: memory[index * count..<(index + length) * count])
        }
        self.current = StepSet(members: part(0), places: part(1))
        self.following = StepSet(members: part(2), places: part(3))
        self.stack = part(4, 2)
    }

    mutating func matches() -> Bool {
        Self.enter(0, at: 0, &self.current, self.steps, self.input, self.stack)
        for offset in 0..<self.input.count {
            if self.current.count == 0 { return false }
            let byte = self.input[offset]
            for index in 0..<self.current.count {
                let step = Int(self.current.members[index])
                if case .byte(let number) = self.steps[step], self.classes[number].contains(byte) {
                    Self.enter(step + 1, at: offset + 1, &self.following, self.steps, self.input, self.stack)
                }
            }
            swap(&self.current, &self.following)
            self.following.count = 0
        }
        for index in 0..<self.current.count {
            if case .accept = self.steps[Int(self.current.members[index])] { return true }
        }
        return false
    }

    /// Adds a step and all that it leads to without a byte. Each step enters a set once, so the stack never holds more
    /// than two entries a step.
    private static func enter(
        _ first: Int,
        at offset: Int,
        _ set: inout StepSet,
        _ steps: UnsafeBufferPointer<Pattern.Step>,
        _ input: UnsafeRawBufferPointer,
        _ stack: UnsafeMutableBufferPointer<UInt16>
    ) {
        stack[0] = UInt16(first)
        var depth = 1
        while depth > 0 {
            depth -= 1
            let step = Int(stack[depth])
            guard set.insert(step) else { continue }
            switch steps[step] {
            case .byte, .accept: ()
            case .jump(let target):
                stack[depth] = UInt16(target)
                depth += 1
            case .split(let left, let right):
                stack[depth] = UInt16(right)
                stack[depth + 1] = UInt16(left)
                depth += 2
            case .assertion(let assertion):
                guard Self.holds(assertion, at: offset, input) else { continue }
                stack[depth] = UInt16(step + 1)
                depth += 1
            }
        }
    }

    private static func holds(_ assertion: Pattern.Assertion, at offset: Int, _ input: UnsafeRawBufferPointer) -> Bool {
        switch assertion {
        case .start: return offset == 0
        case .end: return offset == input.count
        case .wordBoundary, .noWordBoundary:
            let before = offset > 0 && ByteClass.word.contains(input[offset - 1])
            let after = offset < input.count && ByteClass.word.contains(input[offset])
            return (before != after) == (assertion == .wordBoundary)
        }
    }
}

/// A set of small numbers that is emptied by setting its count (Briggs and Torczon's sparse set).
private struct StepSet {
    let members: UnsafeMutableBufferPointer<UInt16>
    let places: UnsafeMutableBufferPointer<UInt16>
    var count = 0

    /// `false` if it was in already.
    @inline(__always)
    mutating func insert(_ number: Int) -> Bool {
        let place = Int(self.places[number])
        if place < self.count, Int(self.members[place]) == number { return false }
        self.members[self.count] = UInt16(number)
        self.places[number] = UInt16(self.count)
        self.count += 1
        return true
    }
}
