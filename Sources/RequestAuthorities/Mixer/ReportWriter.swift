internal import MixerAPI
package import TrafficEngine

/// Writes reports as one `ReportRequest` (`istio.mixer.v1`), straight from the bytes of what happened.
///
/// An entry says what differs from the one before it, unless an attribute of one entry is missing in the next, which a
/// difference cannot say. Texts stand once in the message, in its `default_words`.
struct ReportWriter {
    private let reports: [MixerReport]
    private let table: AttributeTable
    private var words = WordNumbers.global
    /// The numbers of the table's names.
    private var names: [Int32?] = Array(repeating: nil, count: AttributeTable.names.count)
    private var message = WireBytes()
    private var entry = WireBytes()
    private var pair = WireBytes()
    private var value = WireBytes()

    /// The message's bytes.
    static func request(_ reports: [MixerReport]) -> [UInt8] {
        var writer = ReportWriter(reports)
        return writer.write()
    }

    private init(_ reports: [MixerReport]) {
        self.reports = reports
        var table = AttributeTable()
        for report in reports { table.append(report) }
        self.table = table
    }

    private mutating func write() -> [UInt8] {
        let isDelta = self.canDiffer
        for record in self.reports.indices {
            self.entry.removeAll()
            let previous = isDelta && record > 0 ? record - 1 : nil
            if previous == nil { self.writeFixed(of: record) }
            self.writePlaces(of: record, unlike: previous)
            self.message.field(1, bytes: self.entry.bytes)
        }
        for range in self.words.own { self.message.field(2, bytes: self.words.bytes[range]) }
        self.message.field(3, varint: UInt64(GlobalWords.standard.words.count))
        if !isDelta { self.message.field(4, varint: 1) }
        return self.message.bytes
    }

    /// Whether each entry can be told as a difference.
    private var canDiffer: Bool {
        zip(self.reports.indices, self.reports.indices.dropFirst()).allSatisfy { record, next in
            self.reports[record].policy === self.reports[next].policy
                && self.reports[record].service === self.reports[next].service
                && self.table.masks[record] & ~self.table.masks[next] == 0
        }
    }

    // MARK: Attributes

    private mutating func writePlaces(of record: Int, unlike previous: Int?) {
        let mask = self.table.masks[record]
        for place in AttributeTable.names.indices where mask >> UInt64(place) & 1 == 1 {
            if let previous, self.table.masks[previous] >> UInt64(place) & 1 == 1,
                self.table.isEqual(place, record, previous)
            {
                continue
            }
            let name = self.name(of: place)
            let range = self.table.range(of: place, in: record)
            self.table.bytes.withUnsafeBytes { bytes in
                let bytes = UnsafeRawBufferPointer(rebasing: bytes[range])
                self.write(AttributeTable.kinds[place], bytes, name)
            }
        }
    }

    private mutating func writeFixed(of record: Int) {
        let mask = self.table.masks[record]
        for (name, value) in self.reports[record].fixed {
            // What the request says counts before it.
            if let place = Self.places[name], mask >> UInt64(place) & 1 == 1 { continue }
            let number = self.number(of: name)
            switch value {
            case .text(let text):
                self.write(2, number, varint: WireBytes.zigzag(self.number(of: text)))
            case .number(let value): self.write(3, number, varint: UInt64(bitPattern: value))
            case .fraction(let value):
                self.open(number)
                self.pair.varint(2 << 3 | 1)
                self.pair.append(littleEndian: value.bitPattern)
                self.close(4)
            case .truth(let truth): self.write(5, number, varint: truth ? 1 : 0)
            case .moment(let milliseconds): self.write(moment: milliseconds, number)
            case .duration(let duration):
                let (seconds, attoseconds) = duration.components
                self.write(7, number, seconds, attoseconds / 1_000_000_000)
            case .bytes(let bytes): bytes.withUnsafeBytes { self.write(8, number, bytes: $0) }
            case .map(let entries):
                self.value.removeAll()
                for (key, value) in entries { self.addEntry(self.number(of: key), self.number(of: value)) }
                self.write(9, number, bytes: self.value.bytes)
            }
        }
    }

    private mutating func write(_ kind: AttributeTable.Kind, _ bytes: UnsafeRawBufferPointer, _ name: Int32) {
        switch kind {
        case .text: self.write(2, name, varint: WireBytes.zigzag(self.words.number(of: bytes)))
        case .number: self.write(3, name, varint: UInt64(bitPattern: Self.number(bytes)))
        case .truth: self.write(5, name, varint: UInt64(bytes.first ?? 0))
        case .moment: self.write(moment: Self.number(bytes), name)
        case .duration:
            let nanoseconds = Self.number(bytes)
            self.write(7, name, nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
        case .bytes: self.write(8, name, bytes: bytes)
        case .map:
            self.value.removeAll()
            var offset = 0
            while let key = Self.part(bytes, &offset), let value = Self.part(bytes, &offset) {
                self.addEntry(self.words.number(of: key), self.words.number(of: value))
            }
            self.write(9, name, bytes: self.value.bytes)
        }
    }

    private static func number(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        Int64(littleEndian: bytes.loadUnaligned(as: Int64.self))
    }

    private static func part(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> UnsafeRawBufferPointer? {
        guard offset + 4 <= bytes.count else { return nil }
        let start = offset + 4
        offset = start + Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
    }

    // MARK: Entries of the message's maps

    /// Begins an entry: its key.
    private mutating func open(_ name: Int32) {
        self.pair.removeAll()
        self.pair.field(1, varint: WireBytes.zigzag(name))
    }

    private mutating func close(_ map: UInt64) { self.entry.field(map, bytes: self.pair.bytes) }

    private mutating func write(_ map: UInt64, _ name: Int32, varint value: UInt64) {
        self.open(name)
        self.pair.field(2, varint: value)
        self.close(map)
    }

    private mutating func write(_ map: UInt64, _ name: Int32, bytes: some Collection<UInt8>) {
        self.open(name)
        self.pair.field(2, bytes: bytes)
        self.close(map)
    }

    private mutating func write(moment milliseconds: Int64, _ name: Int32) {
        self.write(6, name, milliseconds / 1000, milliseconds % 1000 * 1_000_000)
    }

    /// `google.protobuf.Timestamp` and `Duration`.
    private mutating func write(_ map: UInt64, _ name: Int32, _ seconds: Int64, _ nanoseconds: Int64) {
        self.value.removeAll()
        self.value.field(1, varint: UInt64(bitPattern: seconds))
        self.value.field(2, varint: UInt64(bitPattern: nanoseconds))
        self.write(map, name, bytes: self.value.bytes)
    }

    /// Adds to the value an entry of a `StringMap`.
    private mutating func addEntry(_ key: Int32, _ value: Int32) {
        self.pair.removeAll()
        self.pair.field(1, varint: WireBytes.zigzag(key))
        self.pair.field(2, varint: WireBytes.zigzag(value))
        self.value.field(1, bytes: self.pair.bytes)
    }

    // MARK: Words

    private static let places = Dictionary(
        AttributeTable.names.enumerated().map { ($1, $0) },
        uniquingKeysWith: { first, _ in first }
    )

    private mutating func name(of place: Int) -> Int32 {
        if let number = self.names[place] { return number }
        let number = self.number(of: AttributeTable.names[place])
        self.names[place] = number
        return number
    }

    private mutating func number(of text: String) -> Int32 {
        var text = text
        return text.withUTF8 { self.words.number(of: UnsafeRawBufferPointer($0)) }
    }
}

extension MixerReport {
    /// The bytes of a `ReportRequest` that tells all of them.
    package static func message(_ reports: [MixerReport]) -> [UInt8] { ReportWriter.request(reports) }
}
