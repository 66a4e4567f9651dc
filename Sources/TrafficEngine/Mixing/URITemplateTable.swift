internal import MeshModel

/// Finds among many templates the one that a request's path has the form of.
///
/// A tree of segments: a text counts before a variable, a variable with more text around it before one with less, and all
/// of them before `**`. Where a way leads nowhere, the next is tried; no node is visited twice, so that a lookup costs at
/// most the path and the tree once.
struct URITemplateTable: Sendable {
    private struct Node: Sendable {
        /// In the order of their bytes.
        var texts: [(bytes: [UInt8], node: Int)] = []
        /// Those with more text first.
        var variables: [(prefix: [UInt8], suffix: [UInt8], node: Int)] = []
        /// What the path is that ends here, by method.
        var ends: [(method: [UInt8], value: Int)] = []
        /// The same where more may follow.
        var openEnds: [(method: [UInt8], value: Int)] = []
    }

    /// A part of a path between slashes.
    private typealias Part = (start: Int, end: Int)

    private static let slash = UInt8(ascii: "/")

    private var nodes = [Node()]

    var isEmpty: Bool { self.nodes.count == 1 && self.nodes[0].ends.isEmpty && self.nodes[0].openEnds.isEmpty }

    // MARK: Making it

    /// Adds a template; of two that are the same for one method the first counts.
    mutating func insert(_ template: URITemplate, method: [UInt8], value: Int) {
        var node = 0
        for segment in template.segments { node = self.child(of: node, by: segment) }
        let ends = template.isOpen ? self.nodes[node].openEnds : self.nodes[node].ends
        if ends.contains(where: { $0.method == method }) { return }
        if template.isOpen {
            self.nodes[node].openEnds.append((method, value))
        } else {
            self.nodes[node].ends.append((method, value))
        }
    }

    private mutating func child(of node: Int, by segment: URITemplate.Segment) -> Int {
        let new = self.nodes.count
        switch segment {
        case .text(let text):
            let texts = self.nodes[node].texts
            let place = texts.firstIndex { !$0.bytes.lexicographicallyPrecedes(text) } ?? texts.count
            if place < texts.count, texts[place].bytes == text { return texts[place].node }
            self.nodes[node].texts.insert((text, new), at: place)
        case .variable(let prefix, let suffix):
            let variables = self.nodes[node].variables
            if let known = variables.first(where: { $0.prefix == prefix && $0.suffix == suffix }) { return known.node }
            let count = prefix.count + suffix.count
            let place = variables.firstIndex { $0.prefix.count + $0.suffix.count < count } ?? variables.count
            self.nodes[node].variables.insert((prefix, suffix, new), at: place)
        }
        self.nodes.append(Node())
        return new
    }

    // MARK: Looking up

    /// The value of the template that fits a path without a query; `nil`: none does.
    func value(for path: UnsafeRawBufferPointer, method: UnsafeRawBufferPointer) -> Int? {
        guard path.first == Self.slash else { return nil }
        var end = path.count
        // A slash at the end says nothing.
        while end > 0, path[end - 1] == Self.slash { end -= 1 }
        // One more than any template has: what is beyond may only be part of a `**`.
        return withUnsafeTemporaryAllocation(of: Part.self, capacity: URITemplate.segmentsMax + 1) { memory in
            var count = 0
            var start = 1
            while start <= end, count < memory.count {
                var stop = start
                while stop < end, path[stop] != Self.slash { stop += 1 }
                memory.initializeElement(at: count, to: (start, stop))
                count += 1
                start = stop + 1
            }
            return self.find(in: 0, path, UnsafeBufferPointer(rebasing: memory[..<count]), depth: 0, method)
        }
    }

    private func find(
        in index: Int,
        _ path: UnsafeRawBufferPointer,
        _ parts: UnsafeBufferPointer<Part>,
        depth: Int,
        _ method: UnsafeRawBufferPointer
    ) -> Int? {
        let node = self.nodes[index]
        guard depth < parts.count else {
            return Self.value(in: node.ends, method) ?? Self.value(in: node.openEnds, method)
        }
        let part = path.slice(parts[depth].start, parts[depth].end)
        if let next = Self.node(in: node.texts, part),
            let found = self.find(in: next, path, parts, depth: depth + 1, method)
        {
            return found
        }
        for (prefix, suffix, next) in node.variables
        where part.count > prefix.count + suffix.count && part.holds(prefix, at: 0)
            && part.holds(suffix, at: part.count - suffix.count)
        {
            if let found = self.find(in: next, path, parts, depth: depth + 1, method) { return found }
        }
        return Self.value(in: node.openEnds, method)
    }

    private static func value(
        in ends: [(method: [UInt8], value: Int)],
        _ method: UnsafeRawBufferPointer
    ) -> Int? {
        for (own, value) in ends where method.equals(own) { return value }
        return nil
    }

    private static func node(in texts: [(bytes: [UInt8], node: Int)], _ part: UnsafeRawBufferPointer) -> Int? {
        var range = 0..<texts.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if part.equals(texts[middle].bytes) { return texts[middle].node }
            range =
                texts[middle].bytes.lexicographicallyPrecedes(part)
                ? (middle + 1)..<range.upperBound : range.lowerBound..<middle
        }
        return nil
    }
}
