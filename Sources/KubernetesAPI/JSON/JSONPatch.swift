/// Why a patch cannot be applied.
package struct JSONPatchError: Error, Hashable, CustomStringConvertible {
    /// A `test` operation found something else, rather than the patch being malformed.
    package var isFailedTest: Bool
    package var description: String

    init(_ description: String, isFailedTest: Bool = false) {
        self.description = description
        self.isFailedTest = isFailedTest
    }
}

/// A list of changes to a document (RFC 6902).
package struct JSONPatch: Sendable, Hashable {
    package enum Operation: Sendable, Hashable {
        case add(path: [String], value: JSONValue)
        case remove(path: [String])
        case replace(path: [String], value: JSONValue)
        case move(from: [String], path: [String])
        case copy(from: [String], path: [String])
        case test(path: [String], value: JSONValue)
    }

    package var operations: [Operation]

    package init(operations: [Operation] = []) { self.operations = operations }

    /// Reads the wire form, a list of objects.
    package init(json: JSONValue) throws(JSONPatchError) {
        guard case .array(let entries) = json else { throw JSONPatchError("a JSON patch is a list of operations") }
        self.operations = []
        for (index, entry) in entries.enumerated() { self.operations.append(try Self.operation(entry, index)) }
    }

    /// The wire form.
    package var json: JSONValue {
        .array(
            self.operations.map { operation in
                switch operation {
                case .add(let path, let value): ["op": "add", "path": .string(Self.text(path)), "value": value]
                case .remove(let path): ["op": "remove", "path": .string(Self.text(path))]
                case .replace(let path, let value): ["op": "replace", "path": .string(Self.text(path)), "value": value]
                case .move(let from, let path):
                    ["op": "move", "from": .string(Self.text(from)), "path": .string(Self.text(path))]
                case .copy(let from, let path):
                    ["op": "copy", "from": .string(Self.text(from)), "path": .string(Self.text(path))]
                case .test(let path, let value): ["op": "test", "path": .string(Self.text(path)), "value": value]
                }
            }
        )
    }

    /// The operations that turn one document into the other.
    ///
    /// Arrays are compared by position: elements in common are patched in place, the rest is appended or cut off.
    package static func difference(from old: JSONValue, to new: JSONValue) -> JSONPatch {
        var patch = JSONPatch()
        patch.addDifference(from: old, to: new, at: [])
        return patch
    }

    package func apply(to document: JSONValue) throws(JSONPatchError) -> JSONValue {
        var document = document
        for operation in self.operations {
            switch operation {
            case .add(let path, let value): try document.add(value, at: path[...])
            case .remove(let path): _ = try document.remove(at: path[...])
            case .replace(let path, let value):
                if path.isEmpty {
                    document = value
                } else {
                    guard document[path: path] != nil else { throw Self.missing(path) }
                    document[path: path] = value
                }
            case .move(let from, let path):
                guard !(path.count > from.count && path.starts(with: from)) else {
                    throw JSONPatchError("cannot move \(Self.text(from)) into itself")
                }
                try document.add(try document.remove(at: from[...]), at: path[...])
            case .copy(let from, let path):
                guard let value = document[path: from] else { throw Self.missing(from) }
                try document.add(value, at: path[...])
            case .test(let path, let value):
                guard document[path: path] == value else {
                    throw JSONPatchError("test failed: \(Self.text(path)) has another value", isFailedTest: true)
                }
            }
        }
        return document
    }

    private mutating func addDifference(from old: JSONValue, to new: JSONValue, at path: [String]) {
        switch (old, new) {
        case _ where old == new: ()
        case (.object(let old), .object(let new)):
            for (key, value) in old.sorted(by: { $0.key < $1.key }) {
                if let changed = new[key] {
                    self.addDifference(from: value, to: changed, at: path + [key])
                } else {
                    self.operations.append(.remove(path: path + [key]))
                }
            }
            for (key, value) in new.sorted(by: { $0.key < $1.key }) where old[key] == nil {
                self.operations.append(.add(path: path + [key], value: value))
            }
        case (.array(let old), .array(let new)):
            for (index, pair) in zip(old, new).enumerated() {
                self.addDifference(from: pair.0, to: pair.1, at: path + [String(index)])
            }
            for index in stride(from: old.count - 1, through: new.count, by: -1) {
                self.operations.append(.remove(path: path + [String(index)]))
            }
            for value in new.dropFirst(old.count) { self.operations.append(.add(path: path + ["-"], value: value)) }
        default: self.operations.append(.replace(path: path, value: new))
        }
    }

    private static func operation(_ entry: JSONValue, _ index: Int) throws(JSONPatchError) -> Operation {
        func pointer(_ member: String) throws(JSONPatchError) -> [String] {
            guard let text = entry[member]?.string else {
                throw JSONPatchError("operation \(index): `\(member)` is missing")
            }
            // RFC 6901 section 5: empty for the whole document, else it starts with a slash.
            guard text.isEmpty || text.hasPrefix("/") else {
                throw JSONPatchError("operation \(index): `\(member)` must start with `/`")
            }
            return text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(Self.unescape)
        }
        func value() throws(JSONPatchError) -> JSONValue {
            guard let value = entry["value"] else { throw JSONPatchError("operation \(index): `value` is missing") }
            return value
        }
        switch entry["op"]?.string {
        case "add": return .add(path: try pointer("path"), value: try value())
        case "remove": return .remove(path: try pointer("path"))
        case "replace": return .replace(path: try pointer("path"), value: try value())
        case "move": return .move(from: try pointer("from"), path: try pointer("path"))
        case "copy": return .copy(from: try pointer("from"), path: try pointer("path"))
        case "test": return .test(path: try pointer("path"), value: try value())
        case let other: throw JSONPatchError("operation \(index): unknown `op` `\(other ?? "")`")
        }
    }

    /// RFC 6901 section 4: `~1` is a slash, `~0` a tilde, in this order.
    private static func unescape(_ token: Substring) -> String {
        var text = ""
        var isEscaped = false
        for character in token {
            if isEscaped {
                text += character == "1" ? "/" : character == "0" ? "~" : "~\(character)"
                isEscaped = false
            } else if character == "~" {
                isEscaped = true
            } else {
                text.append(character)
            }
        }
        return isEscaped ? text + "~" : text
    }

    fileprivate static func text(_ path: [String]) -> String {
        path.map { token in
            "/"
                + token.map { character in
                    switch character {
                    case "~": "~0"
                    case "/": "~1"
                    default: String(character)
                    }
                }.joined()
        }.joined()
    }

    fileprivate static func missing(_ path: [String]) -> JSONPatchError {
        JSONPatchError("there is no \(Self.text(path))")
    }
}

extension JSONValue {
    /// The document after a JSON patch (RFC 6902) in its wire form.
    package func applyingJSONPatch(_ patch: JSONValue) throws(JSONPatchError) -> JSONValue {
        try JSONPatch(json: patch).apply(to: self)
    }

    /// The document after a merge patch (RFC 7386): members of `patch` replace ours, `null` removes.
    package func applyingMergePatch(_ patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var members = self.object ?? [:]
        for (key, change) in changes {
            if case .null = change {
                members[key] = nil
            } else {
                members[key] = (members[key] ?? .null).applyingMergePatch(change)
            }
        }
        return .object(members)
    }

    fileprivate mutating func add(_ value: JSONValue, at path: ArraySlice<String>) throws(JSONPatchError) {
        guard let name = path.first else {
            self = value
            return
        }
        try self.descend(path) { (container: inout JSONValue) throws(JSONPatchError) in
            switch container {
            case .object(var members):
                container = .null
                members[name] = value
                container = .object(members)
            case .array(var elements):
                let index = name == "-" ? elements.count : Int(name) ?? -1
                guard (0...elements.count).contains(index) else { throw JSONPatch.missing(Array(path)) }
                container = .null
                elements.insert(value, at: index)
                container = .array(elements)
            case .null, .bool, .integer, .number, .string: throw JSONPatch.missing(Array(path))
            }
        } next: { (child: inout JSONValue, rest: ArraySlice<String>) throws(JSONPatchError) in
            try child.add(value, at: rest)
        }
    }

    fileprivate mutating func remove(at path: ArraySlice<String>) throws(JSONPatchError) -> JSONValue {
        guard let removed = self[path: Array(path)], !path.isEmpty else { throw JSONPatch.missing(Array(path)) }
        self[path: Array(path)] = nil
        return removed
    }

    /// Runs `last` on this container if one name is left, else `next` on the child that the first name selects.
    private mutating func descend(
        _ path: ArraySlice<String>,
        last: (inout JSONValue) throws(JSONPatchError) -> Void,
        next: (inout JSONValue, ArraySlice<String>) throws(JSONPatchError) -> Void
    ) throws(JSONPatchError) {
        guard let name = path.first, path.count > 1 else { return try last(&self) }
        guard var child = self[path: [name]] else { throw JSONPatch.missing(Array(path)) }
        try next(&child, path.dropFirst())
        self[path: [name]] = child
    }
}
