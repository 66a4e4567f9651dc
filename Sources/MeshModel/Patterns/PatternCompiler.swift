/// The tree of an expression.
indirect enum PatternNode: Hashable, Sendable {
    case empty
    case bytes(ByteClass)
    case assertion(Pattern.Assertion)
    case sequence([PatternNode])
    case either([PatternNode])
    /// `most` of `nil`: any number.
    case times(PatternNode, least: Int, most: Int?)
}

/// Lays a tree out as steps.
struct PatternCompiler {
    private(set) var steps: [Pattern.Step] = []
    private(set) var classes: [ByteClass] = []
    private var indexOfClass: [ByteClass: Int] = [:]

    mutating func add(_ step: Pattern.Step) throws(Pattern.SyntaxError) {
        guard self.steps.count < Pattern.stepsMax else {
            throw Pattern.SyntaxError(message: "the expression is too large (more than \(Pattern.stepsMax) steps)")
        }
        self.steps.append(step)
    }

    mutating func add(_ node: PatternNode) throws(Pattern.SyntaxError) {
        switch node {
        case .empty: ()
        case .bytes(let set): try self.add(.byte(self.index(of: set)))
        case .assertion(let assertion): try self.add(Pattern.Step.assertion(assertion))
        case .sequence(let nodes):
            for node in nodes { try self.add(node) }
        case .either(let branches):
            try self.addBranches(branches)
        case .times(let node, let least, let most):
            try self.addRepeated(node, least: least, most: most)
        }
    }

    private mutating func addBranches(_ branches: [PatternNode]) throws(Pattern.SyntaxError) {
        var exits: [Int] = []
        for (index, branch) in branches.enumerated() {
            let isLast = index == branches.count - 1
            let split = self.steps.count
            if !isLast { try self.add(.split(0, 0)) }
            try self.add(branch)
            if !isLast {
                exits.append(self.steps.count)
                try self.add(.jump(0))
                self.steps[split] = .split(split + 1, self.steps.count)
            }
        }
        for exit in exits { self.steps[exit] = .jump(self.steps.count) }
    }

    private mutating func addRepeated(_ node: PatternNode, least: Int, most: Int?) throws(Pattern.SyntaxError) {
        for _ in 0..<least {
            let before = self.steps.count
            try self.add(node)
            if self.steps.count == before { break }  // nothing, however often
        }
        guard let most else {
            // loop: split(body, out); body; jump loop; out:
            let loop = self.steps.count
            try self.add(.split(0, 0))
            try self.add(node)
            try self.add(.jump(loop))
            self.steps[loop] = .split(loop + 1, self.steps.count)
            return
        }
        var splits: [Int] = []
        for _ in least..<most {
            splits.append(self.steps.count)
            try self.add(.split(0, 0))
            try self.add(node)
        }
        for split in splits { self.steps[split] = .split(split + 1, self.steps.count) }
    }

    private mutating func index(of set: ByteClass) -> Int {
        if let index = self.indexOfClass[set] { return index }
        self.classes.append(set)
        self.indexOfClass[set] = self.classes.count - 1
        return self.classes.count - 1
    }
}
