internal import Yams

/// Why a text is no YAML, and where.
package struct YAMLError: Error, Hashable, CustomStringConvertible {
    package var file: String
    package var line: Int?
    package var message: String

    package var description: String { "\(self.file)\(self.line.map { ":\($0)" } ?? ""): \(self.message)" }
}

/// Reads and writes YAML by the rules that `kubectl` goes by: the JSON types, octal `0644`, merge keys, several
/// documents. `yes`, `no`, `on` and `off` are texts (YAML 1.2), since no field of the API wants them as booleans.
package enum YAML {
    package struct Document: Sendable, Hashable {
        package var value: JSONValue
        /// Where it starts in the file, from 1.
        package var line: Int
    }

    /// Aliases may repeat a node; a document that unfolds to more nodes than this is refused.
    package static let nodesMax = 1_000_000

    /// Reads all documents of a text; empty ones are left out. `file` is named in errors.
    package static func documents(_ text: String, file: String = "<yaml>") throws(YAMLError) -> [Document] {
        var documents: [Document] = []
        var reader = NodeReader(file: file)
        do {
            let nodes = try Parser(yaml: text, resolver: .basic)
            while let node = try nodes.nextRoot() {
                let value = try reader.value(of: node, depth: 0)
                if !value.isNull { documents.append(Document(value: value, line: node.mark?.line ?? 1)) }
            }
        } catch let error as YAMLError {
            throw error
        } catch let error as Yams.YamlError {
            throw Self.explain(error, file: file)
        } catch {
            throw YAMLError(file: file, line: nil, message: "\(error)")
        }
        return documents
    }

    /// Reads a text that holds exactly one document.
    package static func parse(_ text: String, file: String = "<yaml>") throws(YAMLError) -> JSONValue {
        let documents = try Self.documents(text, file: file)
        guard documents.count <= 1 else {
            throw YAMLError(file: file, line: documents[1].line, message: "more than one document")
        }
        return documents.first?.value ?? .null
    }

    /// The value as one document, members in the order of their names.
    package static func serialize(_ value: JSONValue) -> String {
        // A tree of plain scalars, lists and maps always serialises; an empty text would show a defect of ours.
        (try? Yams.serialize(node: Self.node(value), width: -1, allowUnicode: true)) ?? ""
    }

    /// The values as documents divided by `---`.
    package static func serialize(_ values: [JSONValue]) -> String {
        values.map { self.serialize($0) }.joined(separator: "---\n")
    }

    private static func node(_ value: JSONValue) -> Node {
        switch value {
        case .null: return Node("null", Tag(.null), .plain)
        case .bool(let value): return Node(value ? "true" : "false", Tag(.bool), .plain)
        case .integer(let value): return Node(String(value), Tag(.int), .plain)
        case .number(let value): return Node("\(value)", Tag(.float), .plain)
        case .string(let text):
            if text.contains("\n") { return Node(text, Tag(.str), .literal) }
            return Node(text, Tag(.str), Scalars.readsAsText(text) ? .plain : .doubleQuoted)
        case .array(let elements):
            return .sequence(Node.Sequence(elements.map(Self.node), Tag(.seq), elements.isEmpty ? .flow : .block))
        case .object(let members):
            let pairs = members.sorted { $0.key < $1.key }.map { (Self.node(.string($0.key)), Self.node($0.value)) }
            return .mapping(Node.Mapping(pairs, Tag(.map), members.isEmpty ? .flow : .block))
        }
    }

    private static func explain(_ error: Yams.YamlError, file: String) -> YAMLError {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            YAMLError(
                file: file,
                line: mark.line,
                message: problem + (context.map { " (\($0.text.trimmingSuffix { $0.isWhitespace }))" } ?? "")
            )
        case .duplicatedKeysInMapping(let names, let context):
            YAMLError(
                file: file,
                line: context.mark.line,
                message: "the same name twice in one object: \(names.sorted().joined(separator: ", "))"
            )
        default: YAMLError(file: file, line: nil, message: "\(error)")
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(_ isBlank: (Character) -> Bool) -> Substring {
        var text = self[...]
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }
}

/// Turns the parser's nodes into values.
private struct NodeReader {
    let file: String
    private var nodeCount = 0

    init(file: String) { self.file = file }

    mutating func value(of node: Node, depth: Int) throws(YAMLError) -> JSONValue {
        self.nodeCount += 1
        guard self.nodeCount <= YAML.nodesMax, depth <= JSONValue.depthMax else {
            throw self.error(node, "nested too deep, or aliases unfold to too much")
        }
        switch node {
        case .scalar(let scalar): return self.value(of: scalar)
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for element in sequence { elements.append(try self.value(of: element, depth: depth + 1)) }
            return .array(elements)
        case .mapping(let mapping): return .object(try self.members(of: mapping, depth: depth))
        case .alias: throw self.error(node, "alias of an unknown anchor")
        }
    }

    private mutating func members(of mapping: Node.Mapping, depth: Int) throws(YAMLError) -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        var merged: [String: JSONValue] = [:]
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else { throw self.error(key, "a member's name must be a text") }
            let content = try self.value(of: value, depth: depth + 1)
            if scalar.string == "<<", scalar.style == .plain {
                for case .object(let source) in content.array ?? [content] {
                    merged.merge(source) { first, _ in first }
                }
            } else {
                members[scalar.string] = content
            }
        }
        return merged.isEmpty ? members : members.merging(merged) { own, _ in own }
    }

    private func value(of scalar: Node.Scalar) -> JSONValue {
        // Quotes, block style and an explicit `!!str` all make a text.
        let isText = scalar.style != .plain || scalar.tag.rawValue == Tag.Name.str.rawValue
        return isText ? .string(scalar.string) : Scalars.resolve(scalar.string)
    }

    private func error(_ node: Node, _ message: String) -> YAMLError {
        YAMLError(file: self.file, line: node.mark?.line, message: message)
    }
}

/// What a plain (unquoted) scalar stands for.
private enum Scalars {
    static func resolve(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: ()
        }
        guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first) else { return .string(text) }
        return self.number(text) ?? .string(text)
    }

    /// Whether a text may be written without quotes and read back, by YAML 1.1 readers too.
    static func readsAsText(_ text: String) -> Bool {
        guard case .string = self.resolve(text) else { return false }
        switch text.lowercased() {
        case "y", "n", "yes", "no", "on", "off", "<<", "=": return false
        default: ()
        }
        // Dates, times and numbers of other readers start with a digit; quotes never hurt there.
        guard let first = text.utf8.first, !"+-.0123456789".utf8.contains(first) else { return false }
        return true
    }

    private static func number(_ text: String) -> JSONValue? {
        let isNegative = text.hasPrefix("-")
        let digits = isNegative || text.hasPrefix("+") ? text.dropFirst() : text[...]
        guard let first = digits.utf8.first else { return nil }
        if let value = self.whole(digits), let signed = isNegative ? self.negated(value) : Int64(exactly: value) {
            return .integer(signed)
        }
        let isDecimal = digits.utf8.allSatisfy { (48...57).contains($0) || ".eE+-_".utf8.contains($0) }
        let second = digits.utf8.dropFirst().first ?? 0
        guard isDecimal, (48...57).contains(first) || (48...57).contains(second), let value = Double(text),
            value.isFinite
        else { return nil }
        return .number(value)
    }

    private static func whole(_ digits: Substring) -> UInt64? {
        if digits.hasPrefix("0x") { return self.whole(digits.dropFirst(2), radix: 16) }
        if digits.hasPrefix("0o") { return self.whole(digits.dropFirst(2), radix: 8) }
        if digits.hasPrefix("0b") { return self.whole(digits.dropFirst(2), radix: 2) }
        if digits.hasPrefix("0"), digits.utf8.count > 1 { return self.whole(digits.dropFirst(), radix: 8) }
        return self.whole(digits, radix: 10)
    }

    private static func whole(_ digits: Substring, radix: Int) -> UInt64? {
        guard let first = digits.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
        return UInt64(digits, radix: radix)
    }

    private static func negated(_ value: UInt64) -> Int64? {
        value == UInt64(Int64.max) + 1 ? Int64.min : Int64(exactly: value).map { -$0 }
    }
}
