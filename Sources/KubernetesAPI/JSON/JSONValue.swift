/// A JSON document as a value: what every Kubernetes object is before and after it has a type.
///
/// Whole numbers that fit 64 bits stay exact; everything else is a double, as in JavaScript. Of two members with one
/// name the last wins, as in the Kubernetes API server's decoder.
package enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    package var isNull: Bool { self == .null }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// A whole number; a double without a fraction counts.
    package var int: Int? {
        switch self {
        case .integer(let value): Int(exactly: value)
        case .number(let value): Int(exactly: value)
        case .null, .bool, .string, .array, .object: nil
        }
    }

    package var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .null, .bool, .string, .array, .object: nil
        }
    }

    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    package var array: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    package var object: [String: JSONValue]? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The members whose value is a string; labels and annotations.
    package var stringMap: [String: String]? { self.object?.compactMapValues(\.string) }

    /// What it is, for messages to people: `string`, `list`, …
    package var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .integer: "integer"
        case .number: "number"
        case .string: "string"
        case .array: "list"
        case .object: "object"
        }
    }

    /// A member of an object; `nil` if it is absent or this is no object. Writing to anything but an object makes it
    /// one; writing `nil` removes the member.
    package subscript(key: String) -> JSONValue? {
        get { self.object?[key] }
        set { self.set(key, to: newValue) }
    }

    /// An element of an array; `nil` out of range.
    package subscript(index: Int) -> JSONValue? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// The value under a path of member names; a decimal name selects an element of an array.
    ///
    /// Writing makes the objects on the way; writing `nil` removes the last member. A write below an array's element
    /// that does not exist is ignored.
    package subscript(path path: String...) -> JSONValue? {
        get { self[path: path] }
        set { self[path: path] = newValue }
    }

    /// Like the variadic form, with the path as a list.
    package subscript(path path: [String]) -> JSONValue? {
        get {
            var value = self
            for name in path {
                guard let next = value.child(name) else { return nil }
                value = next
            }
            return value
        }
        set { self.set(path[...], to: newValue) }
    }

    private func child(_ name: String) -> JSONValue? {
        switch self {
        case .object(let members): members[name]
        case .array: Int(name).flatMap { self[$0] }
        case .null, .bool, .integer, .number, .string: nil
        }
    }

    private mutating func set(_ key: String, to value: JSONValue?) {
        if case .object(var members) = self {
            self = .null  // The members move out, so that changing them does not copy them.
            members[key] = value
            self = .object(members)
        } else if let value {
            self = .object([key: value])
        }
    }

    private mutating func set(_ path: ArraySlice<String>, to value: JSONValue?) {
        guard let name = path.first else {
            self = value ?? .null
            return
        }
        let rest = path.dropFirst()
        if case .array(var elements) = self {
            guard let index = Int(name), elements.indices.contains(index) else { return }
            self = .null
            if rest.isEmpty, value == nil {
                elements.remove(at: index)
            } else {
                elements[index].set(rest, to: value)
            }
            self = .array(elements)
        } else if rest.isEmpty {
            self.set(name, to: value)
        } else {
            var child = self[name]
            if child == nil, value == nil { return }
            self.set(name, to: .null)
            child = child ?? .object([:])
            child?.set(rest, to: value)
            self.set(name, to: child)
        }
    }
}

// Not by `nil`, on purpose: `value["a"] = isEmpty ? nil : 1` would then store a null instead of removing the member.
extension JSONValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
    }

    /// An object of strings.
    package init(_ strings: [String: String]) { self = .object(strings.mapValues(JSONValue.string)) }

    /// A list of strings.
    package init(_ strings: [String]) { self = .array(strings.map(JSONValue.string)) }

    package init(_ value: Int) { self = .integer(Int64(value)) }
}
