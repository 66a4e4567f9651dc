/// Reads frames of Go's `encoding/gob`: definitions of types, and values that refer to them.
///
/// A frame stands for itself, as its sender makes an encoder for each. Everything is bounded: length, types, fields, depth and the number of values,
/// so that a frame costs no more than its size. Interfaces are refused; no stat message has one.
struct GobReader {
    /// What a type is made of; ids below 16 are built in.
    private enum TypeDefinition {
        case array(element: Int)
        case slice(element: Int)
        case map(key: Int, element: Int)
        case structure([(name: String, type: Int)])
        /// The type writes itself: a run of bytes.
        case opaque
    }

    static let bytesMax = 64 << 10
    private static let typesMax = 32
    private static let fieldsMax = 64
    private static let valuesMax = 4096
    private static let depthMax = 16
    /// The first id that is not gob's own.
    private static let firstID = 64

    private let bytes: [UInt8]
    private var position = 0
    /// The end of the message that is read.
    private var end = 0
    private var types: [Int: TypeDefinition] = [:]
    private var valueCount = 0

    /// All values of a frame.
    static func values(of bytes: [UInt8]) throws(GobError) -> [GobValue] {
        guard bytes.count <= Self.bytesMax else { throw GobError(code: .tooLarge, offset: 0) }
        var reader = GobReader(bytes: bytes)
        return try reader.read()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func error(_ code: GobError.Code) -> GobError { GobError(code: code, offset: self.position) }

    private mutating func read() throws(GobError) -> [GobValue] {
        var values: [GobValue] = []
        while self.position < self.bytes.count {
            self.end = self.bytes.count
            let length = try self.length()
            self.end = self.position + length
            let id = try self.int()
            if id < 0 {
                try self.define(Int(clamping: id.magnitude))
            } else {
                let type = Int(clamping: id)
                // Anything but a structure stands behind a zero byte, as if it were a structure's only field.
                if !self.isStructure(type), try self.uint() != 0 { throw self.error(.badDefinition) }
                values.append(try self.value(type, depth: 0))
            }
            guard self.position == self.end else { throw self.error(.trailingBytes) }
        }
        return values
    }

    // MARK: Numbers and texts

    private mutating func byte() throws(GobError) -> UInt8 {
        guard self.position < self.end else { throw self.error(.truncated) }
        defer { self.position += 1 }
        return self.bytes[self.position]
    }

    /// Below 128 one byte; else the negated count of bytes, and the bytes, the most significant first.
    private mutating func uint() throws(GobError) -> UInt64 {
        let first = try self.byte()
        guard first >= 0x80 else { return UInt64(first) }
        let count = 256 - Int(first)
        guard count <= 8 else { throw self.error(.badNumber) }
        var value: UInt64 = 0
        for _ in 0..<count { value = value << 8 | UInt64(try self.byte()) }
        return value
    }

    /// The lowest bit says that the others are complemented.
    private mutating func int() throws(GobError) -> Int64 {
        let value = try self.uint()
        let half = Int64(value >> 1)
        return value & 1 == 1 ? ~half : half
    }

    /// The bits of the number with their bytes reversed, as the exponent then comes last and zeros fall away.
    private mutating func float() throws(GobError) -> Double { Double(bitPattern: try self.uint().byteSwapped) }

    /// A length that fits into what is left.
    private mutating func length() throws(GobError) -> Int {
        guard let length = Int(exactly: try self.uint()), length <= self.end - self.position else {
            throw self.error(.truncated)
        }
        return length
    }

    private mutating func run() throws(GobError) -> ArraySlice<UInt8> {
        let length = try self.length()
        defer { self.position += length }
        return self.bytes[self.position..<(self.position + length)]
    }

    private mutating func text() throws(GobError) -> String {
        guard let text = String(validating: try self.run(), as: UTF8.self) else { throw self.error(.badText) }
        return text
    }

    // MARK: Definitions

    private func isStructure(_ type: Int) -> Bool {
        if case .structure = self.types[type] { true } else { false }
    }

    /// Calls `field` with the number of each field of a structure that is there, counted from one.
    private mutating func fields(
        _ field: (inout GobReader, Int) throws(GobError) -> Void
    ) throws(GobError) {
        var number = 0
        while true {
            let delta = try self.uint()
            guard delta > 0 else { return }
            guard delta <= UInt64(Self.fieldsMax), number + Int(delta) <= Self.fieldsMax else {
                throw self.error(.badDefinition)
            }
            number += Int(delta)
            try field(&self, number)
        }
    }

    private mutating func define(_ id: Int) throws(GobError) {
        guard id >= Self.firstID, self.types[id] == nil else { throw self.error(.badDefinition) }
        guard self.types.count < Self.typesMax else { throw self.error(.tooLarge) }
        var definition: TypeDefinition?
        try self.fields { (reader, number) throws(GobError) in
            guard definition == nil else { throw reader.error(.badDefinition) }
            switch number {
            case 1, 2, 4: definition = try reader.container(number)
            case 3: definition = .structure(try reader.structure())
            case 5, 6, 7:
                try reader.fields { (reader, number) throws(GobError) in
                    guard number == 1 else { throw reader.error(.badDefinition) }
                    try reader.commonPart()
                }
                definition = .opaque
            default: throw reader.error(.badDefinition)
            }
        }
        guard let definition else { throw self.error(.badDefinition) }
        self.types[id] = definition
    }

    /// Name and id of a type, which nobody needs: fields are matched by their own names.
    private mutating func commonPart() throws(GobError) {
        try self.fields { (reader, number) throws(GobError) in
            switch number {
            case 1: _ = try reader.run()
            case 2: _ = try reader.int()
            default: throw reader.error(.badDefinition)
            }
        }
    }

    private mutating func container(_ kind: Int) throws(GobError) -> TypeDefinition {
        var numbers: [Int: Int] = [:]
        try self.fields { (reader, number) throws(GobError) in
            if number == 1 {
                try reader.commonPart()
            } else if number <= 3 {
                numbers[number] = Int(clamping: try reader.int())
            } else {
                throw reader.error(.badDefinition)
            }
        }
        let second = numbers[2] ?? 0
        switch kind {
        case 1: return .array(element: second)
        case 2: return .slice(element: second)
        default: return .map(key: second, element: numbers[3] ?? 0)
        }
    }

    private mutating func structure() throws(GobError) -> [(name: String, type: Int)] {
        var found: [(name: String, type: Int)] = []
        try self.fields { (reader, number) throws(GobError) in
            switch number {
            case 1: try reader.commonPart()
            case 2:
                let count = try reader.length()
                guard count <= Self.fieldsMax else { throw reader.error(.tooLarge) }
                for _ in 0..<count {
                    var name = ""
                    var type = 0
                    try reader.fields { (reader, number) throws(GobError) in
                        switch number {
                        case 1: name = try reader.text()
                        case 2: type = Int(clamping: try reader.int())
                        default: throw reader.error(.badDefinition)
                        }
                    }
                    found.append((name, type))
                }
            default: throw reader.error(.badDefinition)
            }
        }
        return found
    }

    // MARK: Values

    private mutating func value(_ type: Int, depth: Int) throws(GobError) -> GobValue {
        self.valueCount += 1
        guard self.valueCount <= Self.valuesMax, depth <= Self.depthMax else { throw self.error(.tooLarge) }
        switch type {
        case 1: return .bool(try self.uint() != 0)
        case 2: return .int(try self.int())
        case 3: return .uint(try self.uint())
        case 4: return .float(try self.float())
        case 5: return .bytes(Array(try self.run()))
        case 6: return .string(try self.text())
        case 7:
            _ = try (self.uint(), self.uint())
            return .complex
        default: ()
        }
        guard let definition = self.types[type] else { throw self.error(.unknownType) }
        switch definition {
        case .opaque: return .bytes(Array(try self.run()))
        case .array(let element), .slice(let element):
            var elements: [GobValue] = []
            for _ in 0..<(try self.length()) { elements.append(try self.value(element, depth: depth + 1)) }
            return .list(elements)
        case .map(let key, let element):
            var elements: [GobValue] = []
            for _ in 0..<(try self.length()) {
                elements.append(try self.value(key, depth: depth + 1))
                elements.append(try self.value(element, depth: depth + 1))
            }
            return .map(elements)
        case .structure(let members):
            var fields: [String: GobValue] = [:]
            try self.fields { (reader, number) throws(GobError) in
                guard number <= members.count else { throw reader.error(.badDefinition) }
                let member = members[number - 1]
                fields[member.name] = try reader.value(member.type, depth: depth + 1)
            }
            return .structure(fields)
        }
    }
}
