import Foundation

extension JSONValue {
    /// Reads a typed view of the document by the rules of the Kubernetes API.
    ///
    /// What is absent or `null` has the zero value of its type: no elements, an empty text, 0, false. Optional
    /// properties tell absence apart. Members that the type does not know are ignored.
    package func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try T(from: ValueDecoder(value: self, codingPath: []))
    }

    /// The document of a typed value; empty texts, lists and objects are left out, as the API's own writers do.
    package init(encoding value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        self = try JSONValue.parse(encoder.encode(value)).withoutEmptyMembers
    }

    private var withoutEmptyMembers: JSONValue {
        switch self {
        case .object(let members):
            .object(
                members.compactMapValues { member in
                    switch member.withoutEmptyMembers {
                    case .null, .string(""), .array([]), .object([:]): nil
                    case let kept: kept
                    }
                }
            )
        case .array(let elements): .array(elements.map(\.withoutEmptyMembers))
        case .null, .bool, .integer, .number, .string: self
        }
    }
}

extension JSONValue: Codable {
    package init(from decoder: any Decoder) throws {
        if let decoder = decoder as? ValueDecoder {
            self = decoder.value
            return
        }
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {  // Each `try?` asks "is it this type?".
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

/// Decodes from a value in memory, without a detour over bytes.
private struct ValueDecoder: Decoder {
    let value: JSONValue
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        switch self.value {
        case .object(let members):
            return KeyedDecodingContainer(KeyedValues(members: members, codingPath: self.codingPath))
        case .null: return KeyedDecodingContainer(KeyedValues(members: [:], codingPath: self.codingPath))
        case .bool, .integer, .number, .string, .array: throw self.mismatch("object")
        }
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        switch self.value {
        case .array(let elements): return ListedValues(elements: elements, codingPath: self.codingPath)
        case .null: return ListedValues(elements: [], codingPath: self.codingPath)
        case .bool, .integer, .number, .string, .object: throw self.mismatch("list")
        }
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { SingleValue(decoder: self) }

    func mismatch(_ expected: String) -> DecodingError {
        DecodingError.typeMismatch(
            JSONValue.self,
            DecodingError.Context(
                codingPath: self.codingPath,
                debugDescription: "expected \(expected), found \(self.value.typeName)"
            )
        )
    }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        // The commonest types by hand, for speed.
        if type == String.self, let value = try self.text() as? T { return value }
        if type == JSONValue.self, let value = self.value as? T { return value }
        return try T(from: self)
    }

    func text() throws -> String {
        switch self.value {
        case .string(let value): return value
        case .null: return ""
        case .bool, .integer, .number, .array, .object: throw self.mismatch("string")
        }
    }

    func truth() throws -> Bool {
        switch self.value {
        case .bool(let value): return value
        case .null: return false
        case .integer, .number, .string, .array, .object: throw self.mismatch("boolean")
        }
    }

    func real() throws -> Double {
        if self.value.isNull { return 0 }
        guard let value = self.value.double else { throw self.mismatch("number") }
        return value
    }

    func whole<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        switch self.value {
        case .null: return 0
        case .integer(let value):
            guard let value = T(exactly: value) else { throw self.mismatch("an integer that fits \(type)") }
            return value
        case .number(let value):
            guard let value = T(exactly: value) else { throw self.mismatch("an integer that fits \(type)") }
            return value
        case .bool, .string, .array, .object: throw self.mismatch("integer")
        }
    }
}

private struct NamedKey: CodingKey {
    var stringValue: String
    var intValue: Int?

    init(stringValue: String) { self.stringValue = stringValue }

    init(intValue: Int) {
        self.intValue = intValue
        self.stringValue = String(intValue)
    }
}

private struct KeyedValues<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let members: [String: JSONValue]
    let codingPath: [any CodingKey]

    var allKeys: [Key] { self.members.keys.compactMap { Key(stringValue: $0) } }
    func contains(_ key: Key) -> Bool { self.members[key.stringValue] != nil }
    func decodeNil(forKey key: Key) -> Bool { self.members[key.stringValue]?.isNull ?? true }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try self.child(key).truth() }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try self.child(key).text() }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try self.child(key).real() }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { Float(try self.child(key).real()) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try self.child(key).whole(type) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try self.child(key).whole(type) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try self.child(key).whole(type) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try self.child(key).whole(type) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try self.child(key).whole(type) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try self.child(key).whole(type) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try self.child(key).whole(type) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try self.child(key).whole(type) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try self.child(key).whole(type) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try self.child(key).whole(type) }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try self.child(key).decode(type) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try self.child(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try self.child(key).unkeyedContainer()
    }

    func superDecoder() -> any Decoder { ValueDecoder(value: .object(self.members), codingPath: self.codingPath) }
    func superDecoder(forKey key: Key) -> any Decoder { self.child(key) }

    private func child(_ key: Key) -> ValueDecoder {
        ValueDecoder(value: self.members[key.stringValue] ?? .null, codingPath: self.codingPath + [key])
    }
}

private struct ListedValues: UnkeyedDecodingContainer {
    let elements: [JSONValue]
    let codingPath: [any CodingKey]
    private(set) var currentIndex = 0

    init(elements: [JSONValue], codingPath: [any CodingKey]) {
        self.elements = elements
        self.codingPath = codingPath
    }

    var count: Int? { self.elements.count }
    var isAtEnd: Bool { self.currentIndex >= self.elements.count }

    mutating func decodeNil() -> Bool {
        guard !self.isAtEnd, self.elements[self.currentIndex].isNull else { return false }
        self.currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try self.next().decode(type) }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> { try self.next().container(keyedBy: type) }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try self.next().unkeyedContainer()
    }

    mutating func superDecoder() throws -> any Decoder { try self.next() }

    private mutating func next() throws -> ValueDecoder {
        let path = self.codingPath + [NamedKey(intValue: self.currentIndex)]
        guard !self.isAtEnd else {
            let context = DecodingError.Context(codingPath: path, debugDescription: "the list has ended")
            throw DecodingError.valueNotFound(JSONValue.self, context)
        }
        defer { self.currentIndex += 1 }
        return ValueDecoder(value: self.elements[self.currentIndex], codingPath: path)
    }
}

private struct SingleValue: SingleValueDecodingContainer {
    let decoder: ValueDecoder

    var codingPath: [any CodingKey] { self.decoder.codingPath }
    func decodeNil() -> Bool { self.decoder.value.isNull }
    func decode(_ type: Bool.Type) throws -> Bool { try self.decoder.truth() }
    func decode(_ type: String.Type) throws -> String { try self.decoder.text() }
    func decode(_ type: Double.Type) throws -> Double { try self.decoder.real() }
    func decode(_ type: Float.Type) throws -> Float { Float(try self.decoder.real()) }
    func decode(_ type: Int.Type) throws -> Int { try self.decoder.whole(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try self.decoder.whole(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try self.decoder.whole(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try self.decoder.whole(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try self.decoder.whole(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try self.decoder.whole(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try self.decoder.whole(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try self.decoder.whole(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try self.decoder.whole(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try self.decoder.whole(type) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try self.decoder.decode(type) }
}
