/// What a client's proxy tells the proxy of the service that it calls: Istio's header `x-istio-attributes`, a message
/// `istio.mixer.v1.Attributes` in base64. Of the attributes in it only `source.uid` is told and taken.
package enum ForwardedAttributes {
    package static let header = Array("x-istio-attributes".utf8)
    /// A longer value is not read.
    static let valueBytesMax = 2048
    /// `NAME.NAMESPACE` of a pod: names have 253 letters at most, labels 63.
    static let podBytesMax = 253 + 1 + 63

    private static let sourceUID = "source.uid"
    private static let scheme = Array("kubernetes://".utf8)

    // MARK: Telling

    /// The header's value for requests of a workload.
    package static func value(sourceUID uid: String) -> [UInt8] {
        let text = Self.field(2, Array(uid.utf8))
        let entry = Self.field(1, Array(Self.sourceUID.utf8)) + Self.field(2, text)
        return Base64.encoded(Self.field(1, entry))
    }

    /// A field of bytes in protobuf's encoding.
    private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        var field = [number << 3 | 2]
        var count = bytes.count
        while count > 0x7F {
            field.append(UInt8(count & 0x7F) | 0x80)
            count >>= 7
        }
        field.append(UInt8(count))
        return field + bytes
    }

    // MARK: Taking

    /// The pod that sent a request.
    ///
    /// - Parameters:
    ///   - value: of the header.
    ///   - namespace: of the peer's certificate. Who has it speaks for no pod of another one.
    /// - Returns: `kubernetes://NAME.NAMESPACE`; `nil` if it is not told, or not to be believed.
    package static func sourceUID(in value: UnsafeRawBufferPointer, of namespace: some StringProtocol) -> [UInt8]? {
        guard value.count <= Self.valueBytesMax, let message = Base64.decoded(value),
            let uid = message.withUnsafeBytes(Self.sourceUID)
        else { return nil }
        guard uid.starts(with: Self.scheme) else { return nil }
        let pod = uid.dropFirst(Self.scheme.count)
        let suffix = Array(".\(namespace)".utf8)
        guard pod.count <= Self.podBytesMax, pod.count > suffix.count, suffix.count > 1,
            pod.suffix(suffix.count).elementsEqual(suffix), pod.allSatisfy(Self.isOfName)
        else { return nil }
        // Namespaces have no dots: what stands before the last one is the pod's name.
        return namespace.contains(".") ? nil : uid
    }

    /// Lower-case letters, digits, `-` and `.` (RFC 1123).
    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// `Attributes { map<string, AttributeValue> attributes = 1; }`; of entries with one key the last counts.
    private static func sourceUID(_ message: UnsafeRawBufferPointer) -> [UInt8]? {
        var uid: [UInt8]?
        var fields = WireFields(message)
        while let (number, bytes) = fields.next() {
            guard number == 1, let bytes else { continue }
            var key: UnsafeRawBufferPointer?
            var value: UnsafeRawBufferPointer?
            var entry = WireFields(bytes)
            while let (number, bytes) = entry.next() {
                if number == 1 { key = bytes } else if number == 2 { value = bytes }
            }
            guard !entry.isMalformed else { return nil }
            guard let key, key.elementsEqual(Self.sourceUID.utf8) else { continue }
            guard let value else {
                uid = nil
                continue
            }
            var text: UnsafeRawBufferPointer?
            var choices = WireFields(value)
            // `oneof value { string string_value = 2; … string_map_value = 9; }`: the last counts.
            while let (number, bytes) = choices.next() {
                if (2...9).contains(number) { text = number == 2 ? bytes : nil }
            }
            guard !choices.isMalformed else { return nil }
            uid = text.map { Array($0) }
        }
        return fields.isMalformed ? nil : uid
    }
}

/// The fields of a message in protobuf's encoding.
private struct WireFields {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private(set) var isMalformed = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Number and, of those that have a length, bytes; `nil`: there are no more, or no more can be read.
    mutating func next() -> (number: UInt64, bytes: UnsafeRawBufferPointer?)? {
        guard self.position < self.bytes.count else { return nil }
        guard let key = self.varint(), key >> 3 > 0 else { return self.fail() }
        let number = key >> 3
        switch key & 7 {
        case 0: return self.varint().map { _ in (number, nil) } ?? self.fail()
        case 1: return self.take(8).map { _ in (number, nil) } ?? self.fail()
        case 5: return self.take(4).map { _ in (number, nil) } ?? self.fail()
        case 2:
            guard let count = self.varint(), let bytes = self.take(count) else { return self.fail() }
            return (number, bytes)
        default: return self.fail()
        }
    }

    private mutating func fail() -> (number: UInt64, bytes: UnsafeRawBufferPointer?)? {
        self.isMalformed = true
        self.position = self.bytes.count
        return nil
    }

    private mutating func take(_ count: UInt64) -> UnsafeRawBufferPointer? {
        guard count <= UInt64(self.bytes.count - self.position) else { return nil }
        let start = self.position
        self.position += Int(count)
        return self.bytes.slice(start, self.position)
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard self.position < self.bytes.count else { return nil }
            let byte = self.bytes[self.position]
            self.position += 1
            // The tenth byte has one bit left.
            if shift == 63, byte > 1 { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
