internal import MixerAPI
internal import TrafficEngine

/// A `ReportRequest` (`istio.mixer.v1`) that grows: reports of one service, each as what differs from the one before.
/// Texts stand once in the message, in its `default_words`.
final class ReportStream {
    private let policy: MixerPolicy
    private let service: MixerService?
    /// What the report that was written last has said; `last` has its request and its answer.
    private var last: MixerReport
    private var subject = AttributeRecord()
    private var response = AttributeRecord()
    private var outcome = AttributeRecord()
    /// All places that the message has said a value of: none of them can be taken back.
    private var told: UInt64 = 0

    private(set) var count = 0
    private var words = WordNumbers()
    /// The numbers of the records' names.
    private var names: [Int32?] = Array(repeating: nil, count: AttributeRecord.names.count)
    private var message = WireBytes()
    private var entry = WireBytes()
    private var pair = WireBytes()
    private var value = WireBytes()

    /// Begins with nothing; `report` says of which service.
    init(_ report: MixerReport) {
        self.policy = report.policy
        self.service = report.service
        self.last = report
    }

    /// Of the message so far, about.
    var byteCount: Int { self.message.count + self.words.byteCount }

    func isOf(_ policy: MixerPolicy, _ service: MixerService?) -> Bool {
        self.policy === policy && self.service === service
    }

    /// The places that the last report's request has filled, if a report says the same of its own.
    func subjectMask(asOf report: MixerReport) -> UInt64? {
        self.count > 0 && self.last.isSubjectAlike(report) ? self.subject.mask : nil
    }

    /// The same of the endpoint's answer.
    func responseMask(asOf report: MixerReport) -> UInt64? {
        self.count > 0 && self.last.isResponseAlike(report) ? self.response.mask : nil
    }

    /// Whether a report that fills these places can be told as a difference.
    func canTell(_ mask: UInt64) -> Bool { self.told & ~mask == 0 }

    /// Whether reports so far have filled just these places.
    func fills(_ mask: UInt64) -> Bool { self.told == mask }

    /// Writes a report.
    ///
    /// - Parameters:
    ///   - report: of this service, and such that `canTell` its places.
    ///   - subject: what it says of its request; other records come back in the place of what is written.
    ///   - isSubjectAlike: the last report has said the same, and `subject` is not looked at.
    ///   - response: what it says of the answer.
    ///   - isResponseAlike: the same of that.
    ///   - outcome: what it says of the rest.
    func append(
        _ report: MixerReport,
        _ subject: inout AttributeRecord,
        isSubjectAlike: Bool,
        _ response: inout AttributeRecord,
        isResponseAlike: Bool,
        _ outcome: inout AttributeRecord
    ) {
        self.entry.removeAll()
        if self.count == 0 { self.writeFixed(of: report, unlike: subject.mask | response.mask | outcome.mask) }
        if !isSubjectAlike {
            self.write(subject, unlike: self.subject)
            swap(&self.subject, &subject)
            self.last.subject = report.subject
            self.last.facts = report.facts
        }
        if !isResponseAlike {
            self.write(response, unlike: self.response)
            swap(&self.response, &response)
            self.last.outcome = report.outcome
        }
        self.write(outcome, unlike: self.outcome)
        swap(&self.outcome, &outcome)
        self.told = self.subject.mask | self.response.mask | self.outcome.mask
        self.message.field(1, bytes: self.entry.bytes)
        self.count += 1
    }

    /// The message, which begins anew.
    func take() -> ReportMessage {
        for range in self.words.own { self.message.field(2, bytes: self.words.bytes[range]) }
        self.message.field(3, varint: UInt64(GlobalWords.standard.words.count))
        defer {
            self.message = WireBytes()
            self.words.removeAll()
            for place in self.names.indices where (self.names[place] ?? 0) < 0 { self.names[place] = nil }
            self.subject.removeAll()
            self.response.removeAll()
            self.outcome.removeAll()
            self.told = 0
            self.count = 0
        }
        return ReportMessage(bytes: self.message.bytes, count: self.count)
    }

    // MARK: Attributes

    private func write(_ record: AttributeRecord, unlike previous: AttributeRecord) {
        var rest = record.places(unlike: previous)
        while rest != 0 {
            let place = rest.trailingZeroBitCount
            rest &= rest - 1
            self.write(place, of: record)
        }
    }

    private func write(_ place: Int, of record: AttributeRecord) {
        let name = self.name(of: place)
        switch AttributeRecord.kinds[place] {
        case .text:
            let word = record.withBytes(of: place) { self.words.number(of: $0) }
            self.write(2, name, varint: WireBytes.zigzag(word))
        case .number: self.write(3, name, varint: UInt64(bitPattern: record.number(of: place)))
        case .truth: self.write(5, name, varint: UInt64(bitPattern: record.number(of: place)))
        case .moment: self.write(moment: record.number(of: place), name)
        case .duration:
            let nanoseconds = record.number(of: place)
            self.write(7, name, nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
        case .bytes: record.withBytes(of: place) { self.write(8, name, bytes: $0) }
        case .map:
            self.value.removeAll()
            record.withBytes(of: place) { bytes in
                var offset = 0
                while let key = Self.part(bytes, &offset), let value = Self.part(bytes, &offset) {
                    self.addEntry(self.words.number(of: key), self.words.number(of: value))
                }
            }
            self.write(9, name, bytes: self.value.bytes)
        }
    }

    /// What the settings say, but for what the report fills itself.
    private func writeFixed(of report: MixerReport, unlike mask: UInt64) {
        for (name, value) in report.fixed {
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

    private static func part(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> UnsafeRawBufferPointer? {
        guard offset + 4 <= bytes.count else { return nil }
        let start = offset + 4
        offset = start + Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
    }

    // MARK: Entries of the message's maps

    /// Begins an entry: its key.
    private func open(_ name: Int32) {
        self.pair.removeAll()
        self.pair.field(1, varint: WireBytes.zigzag(name))
    }

    private func close(_ map: UInt64) { self.entry.field(map, bytes: self.pair.bytes) }

    private func write(_ map: UInt64, _ name: Int32, varint value: UInt64) {
        let key = WireBytes.zigzag(name)
        self.entry.open(map, count: WireBytes.fieldSize(key) + WireBytes.fieldSize(value))
        self.entry.field(1, varint: key)
        self.entry.field(2, varint: value)
    }

    private func write(_ map: UInt64, _ name: Int32, bytes: some Collection<UInt8>) {
        self.open(name)
        self.pair.field(2, bytes: bytes)
        self.close(map)
    }

    private func write(moment milliseconds: Int64, _ name: Int32) {
        self.write(6, name, milliseconds / 1000, milliseconds % 1000 * 1_000_000)
    }

    /// `google.protobuf.Timestamp` and `Duration`.
    private func write(_ map: UInt64, _ name: Int32, _ seconds: Int64, _ nanoseconds: Int64) {
        let (key, seconds, nanoseconds) = (
            WireBytes.zigzag(name), UInt64(bitPattern: seconds), UInt64(bitPattern: nanoseconds)
        )
        let count = WireBytes.fieldSize(seconds) + WireBytes.fieldSize(nanoseconds)
        self.entry.open(map, count: WireBytes.fieldSize(key) + WireBytes.fieldSize(UInt64(count)) + count)
        self.entry.field(1, varint: key)
        self.entry.open(2, count: count)
        self.entry.field(1, varint: seconds)
        self.entry.field(2, varint: nanoseconds)
    }

    /// Adds to the value an entry of a `StringMap`.
    private func addEntry(_ key: Int32, _ value: Int32) {
        self.pair.removeAll()
        self.pair.field(1, varint: WireBytes.zigzag(key))
        self.pair.field(2, varint: WireBytes.zigzag(value))
        self.value.field(1, bytes: self.pair.bytes)
    }

    // MARK: Words

    private static let places = Dictionary(
        AttributeRecord.names.enumerated().map { ($1, $0) },
        uniquingKeysWith: { first, _ in first }
    )

    private func name(of place: Int) -> Int32 {
        if let number = self.names[place] { return number }
        let number = self.number(of: AttributeRecord.names[place])
        self.names[place] = number
        return number
    }

    private func number(of text: String) -> Int32 {
        var text = text
        return text.withUTF8 { self.words.number(of: UnsafeRawBufferPointer($0)) }
    }
}
