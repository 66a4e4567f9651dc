internal import Yams

/// What is wrong with the input of a replay, and where.
package struct ReplayProblem: Error, Sendable, Hashable, CustomStringConvertible {
    package var file: String
    package var line: Int
    package var message: String

    package var description: String { "\(self.file):\(self.line): \(self.message)" }
}

/// All that is wrong with one input.
package struct ReplayProblems: Error, Sendable, CustomStringConvertible {
    package var problems: [ReplayProblem]

    package var description: String { self.problems.map(\.description).joined(separator: "\n") }
}

/// A value of the input with the line that it stands on.
///
/// JSON is YAML, so one parser reads both. Values stay texts until somebody knows what they should be.
struct ReplayNode {
    enum Content {
        case scalar(String, isNull: Bool)
        case list([ReplayNode])
        case map([(name: String, value: ReplayNode)])
    }

    /// Nesting beyond this is refused; the format needs four.
    private static let depthMax = 16

    var content: Content
    var line: Int

    /// Reads a file: one document in YAML or JSON, or one JSON object per line.
    static func documents(_ text: String, file: String) throws(ReplayProblem) -> [ReplayNode] {
        if let lines = Self.lines(text) {
            var nodes: [ReplayNode] = []
            for (number, line) in lines { nodes += try Self.parse(String(line), file: file, lineOffset: number - 1) }
            return nodes
        }
        return try Self.parse(text, file: file, lineOffset: 0)
    }

    /// The lines of a file of JSON lines, with their numbers; `nil` if it is something else.
    private static func lines(_ text: String) -> [(number: Int, line: Substring)]? {
        var lines: [(Int, Substring)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let first = line.first { !$0.isWhitespace }
            guard let first, first != "#" else { continue }
            guard first == "{" else { return nil }
            lines.append((index + 1, line))
        }
        guard lines.count > 1, lines.allSatisfy({ $0.1.last { !$0.isWhitespace } == "}" }) else { return nil }
        return lines
    }

    private static func parse(_ text: String, file: String, lineOffset: Int) throws(ReplayProblem) -> [ReplayNode] {
        do {
            var nodes: [ReplayNode] = []
            let parser = try Parser(yaml: text, resolver: .basic)
            while let node = try parser.nextRoot() {
                let value = try Self.node(node, file: file, lineOffset: lineOffset, depth: 0)
                if case .scalar(_, isNull: true) = value.content { continue }
                nodes.append(value)
            }
            return nodes
        } catch let problem as ReplayProblem {
            throw problem
        } catch let error as YamlError {
            throw Self.explain(error, file: file, lineOffset: lineOffset)
        } catch {
            throw ReplayProblem(file: file, line: lineOffset + 1, message: "\(error)")
        }
    }

    private static func node(
        _ node: Node,
        file: String,
        lineOffset: Int,
        depth: Int
    ) throws(ReplayProblem) -> ReplayNode {
        let line = (node.mark?.line ?? 1) + lineOffset
        guard depth < Self.depthMax else { throw ReplayProblem(file: file, line: line, message: "nested too deep") }
        switch node {
        case .scalar(let scalar):
            let isNull = scalar.style == .plain && ["", "~", "null"].contains(scalar.string)
            return ReplayNode(content: .scalar(scalar.string, isNull: isNull), line: line)
        case .sequence(let sequence):
            var elements: [ReplayNode] = []
            for element in sequence {
                elements.append(try Self.node(element, file: file, lineOffset: lineOffset, depth: depth + 1))
            }
            return ReplayNode(content: .list(elements), line: line)
        case .mapping(let mapping):
            var members: [(String, ReplayNode)] = []
            for (key, value) in mapping {
                guard case .scalar(let name) = key else {
                    throw ReplayProblem(file: file, line: line, message: "a name must be a text")
                }
                var member = try Self.node(value, file: file, lineOffset: lineOffset, depth: depth + 1)
                member.line = (key.mark?.line).map { $0 + lineOffset } ?? member.line
                members.append((name.string, member))
            }
            return ReplayNode(content: .map(members), line: line)
        case .alias: throw ReplayProblem(file: file, line: line, message: "an alias of an unknown anchor")
        }
    }

    private static func explain(_ error: YamlError, file: String, lineOffset: Int) -> ReplayProblem {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ReplayProblem(
                file: file,
                line: mark.line + lineOffset,
                message: "neither JSON nor YAML: \(problem) (column \(mark.column))"
            )
        case .duplicatedKeysInMapping(let names, let context):
            ReplayProblem(
                file: file,
                line: context.mark.line + lineOffset,
                message: "the same name twice: \(names.sorted().joined(separator: ", "))"
            )
        default: ReplayProblem(file: file, line: lineOffset + 1, message: "neither JSON nor YAML: \(error)")
        }
    }

    var text: String? {
        if case .scalar(let text, isNull: false) = self.content { text } else { nil }
    }

    /// What it is, for messages.
    var kind: String {
        switch self.content {
        case .scalar(_, isNull: true): "nothing"
        case .scalar(let text, _): "'\(text.prefix(40))'"
        case .list: "a list"
        case .map: "an object"
        }
    }
}
