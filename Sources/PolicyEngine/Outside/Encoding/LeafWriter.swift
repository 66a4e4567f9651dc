internal import MeshModel

/// Writes single values of attributes into fields.
enum LeafWriter {
    typealias Scalar = MessageForm.Scalar

    /// With its tag. A zero or an empty text is left out, as proto3 does, unless the field has presence.
    static func write(
        _ value: AttributeValue,
        as leaf: EncodingPlan.Leaf,
        number: Int,
        hasPresence: Bool,
        to writer: inout WireWriter
    ) throws(EvaluationError) {
        var content = WireWriter()
        switch leaf {
        case .scalar(let scalar):
            if !hasPresence, Self.isDefault(value) { return }
            try Self.write(value, as: scalar, to: &content)
            writer.tag(number, Self.wireType(scalar))
            writer.raw(content.bytes)
            return
        case .value: try Self.policyValue(value, to: &content)
        case .wrapped(let type): try Self.wrapped(value, type, to: &content)
        case .timestamp: try Self.timestamp(value, to: &content)
        case .duration: try Self.duration(value, to: &content)
        }
        writer.field(number, content.bytes)
    }

    private static func isDefault(_ value: AttributeValue) -> Bool {
        switch value {
        case .string(let text), .emailAddress(let text), .dnsName(let text), .uri(let text): text.isEmpty
        case .int64(let number): number == 0
        // -0 has a sign that would be lost.
        case .double(let number): number == 0 && number.sign == .plus
        case .bool(let truth): !truth
        case .timestamp, .duration, .ipAddress, .stringMap: false
        }
    }

    static func wireType(_ scalar: Scalar) -> UInt64 {
        switch scalar {
        case .int32, .int64, .uint32, .uint64, .sint32, .sint64, .bool: 0
        case .double, .fixed64, .sfixed64: 1
        case .string, .bytes: 2
        case .float, .fixed32, .sfixed32: 5
        }
    }

    /// Without a tag: as the next of many, or behind one.
    static func write(
        _ value: AttributeValue,
        as scalar: Scalar,
        to writer: inout WireWriter
    ) throws(EvaluationError) {
        switch (scalar, value) {
        case (.double, .double(let number)): writer.little(number.bitPattern, count: 8)
        case (.float, .double(let number)): writer.little(UInt64(Float(number).bitPattern), count: 4)
        case (.int64, .int64(let number)): writer.varint(UInt64(bitPattern: number))
        // Negative ones take ten bytes, as 64 bits do.
        case (.int32, .int64(let number)): writer.varint(UInt64(bitPattern: Int64(try Self.fit(number, Int32.self))))
        case (.uint64, .int64(let number)): writer.varint(try Self.fit(number, UInt64.self))
        case (.uint32, .int64(let number)): writer.varint(UInt64(try Self.fit(number, UInt32.self)))
        case (.sint64, .int64(let number)): writer.varint(Self.zigzag(number))
        case (.sint32, .int64(let number)): writer.varint(Self.zigzag(Int64(try Self.fit(number, Int32.self))))
        case (.fixed64, .int64(let number)): writer.little(try Self.fit(number, UInt64.self), count: 8)
        case (.sfixed64, .int64(let number)): writer.little(UInt64(bitPattern: number), count: 8)
        case (.fixed32, .int64(let number)): writer.little(UInt64(try Self.fit(number, UInt32.self)), count: 4)
        case (.sfixed32, .int64(let number)):
            writer.little(UInt64(UInt32(bitPattern: try Self.fit(number, Int32.self))), count: 4)
        case (.bool, .bool(let truth)): writer.varint(truth ? 1 : 0)
        case (.string, .string(let text)), (.string, .emailAddress(let text)), (.string, .dnsName(let text)),
            (.string, .uri(let text)), (.bytes, .string(let text)):
            writer.varint(UInt64(text.utf8.count))
            writer.raw(text.utf8)
        case (.bytes, .ipAddress(let address)):
            writer.varint(UInt64(address.bytes.count))
            writer.raw(address.bytes)
        default: throw EvaluationError(code: .otherType, message: "a \(value.type) has no place in a \(scalar)")
        }
    }

    private static func fit<Number: FixedWidthInteger>(
        _ value: Int64,
        _ type: Number.Type
    ) throws(EvaluationError) -> Number {
        guard let number = Number(exactly: value) else {
            throw EvaluationError(code: .tooLarge, message: "\(value) does not fit the field")
        }
        return number
    }

    private static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }

    // MARK: Messages of Istio and protobuf

    /// `istio.policy.v1beta1.Value`, whose members are a oneof: each is written, whatever it is.
    private static func policyValue(_ value: AttributeValue, to writer: inout WireWriter) throws(EvaluationError) {
        switch value {
        case .string(let text): writer.field(1, text.utf8)
        case .int64(let number):
            writer.tag(2, 0)
            writer.varint(UInt64(bitPattern: number))
        case .double(let number):
            writer.tag(3, 1)
            writer.little(number.bitPattern, count: 8)
        case .bool(let truth):
            writer.tag(4, 0)
            writer.varint(truth ? 1 : 0)
        case .ipAddress: try Self.message(5, value, .ipAddress, to: &writer)
        case .timestamp: try Self.message(6, value, .timestamp, to: &writer)
        case .duration: try Self.message(7, value, .duration, to: &writer)
        case .emailAddress: try Self.message(8, value, .emailAddress, to: &writer)
        case .dnsName: try Self.message(9, value, .dnsName, to: &writer)
        case .uri: try Self.message(10, value, .uri, to: &writer)
        case .stringMap: throw EvaluationError(code: .otherType, message: "a STRING_MAP has no place in a Value")
        }
    }

    private static func message(
        _ number: Int,
        _ value: AttributeValue,
        _ type: ValueType,
        to writer: inout WireWriter
    ) throws(EvaluationError) {
        var content = WireWriter()
        try Self.wrapped(value, type, to: &content)
        writer.field(number, content.bytes)
    }

    /// A message with nothing but a field 1.
    private static func wrapped(
        _ value: AttributeValue,
        _ type: ValueType,
        to writer: inout WireWriter
    ) throws(EvaluationError) {
        var content = WireWriter()
        switch value {
        case .string(let text), .emailAddress(let text), .dnsName(let text), .uri(let text): writer.text(1, text)
        // As Mixer does: 4 bytes for IPv4, 16 for IPv6.
        case .ipAddress(let address): writer.field(1, address.bytes)
        case .timestamp:
            try Self.timestamp(value, to: &content)
            writer.field(1, content.bytes)
        case .duration:
            try Self.duration(value, to: &content)
            writer.field(1, content.bytes)
        case .int64, .double, .bool, .stringMap:
            throw EvaluationError(code: .otherType, message: "a \(value.type) is no \(type)")
        }
    }

    /// `google.protobuf.Timestamp`
    private static func timestamp(_ value: AttributeValue, to writer: inout WireWriter) throws(EvaluationError) {
        guard case .timestamp(let moment) = value else {
            throw EvaluationError(code: .otherType, message: "a \(value.type) is no TIMESTAMP")
        }
        Self.seconds(moment.seconds, moment.nanoseconds, to: &writer)
    }

    /// `google.protobuf.Duration`
    private static func duration(_ value: AttributeValue, to writer: inout WireWriter) throws(EvaluationError) {
        guard case .duration(let duration) = value else {
            throw EvaluationError(code: .otherType, message: "a \(value.type) is no DURATION")
        }
        let (seconds, attoseconds) = duration.components
        Self.seconds(seconds, Int32(attoseconds / 1_000_000_000), to: &writer)
    }

    private static func seconds(_ seconds: Int64, _ nanoseconds: Int32, to writer: inout WireWriter) {
        if seconds != 0 {
            writer.tag(1, 0)
            writer.varint(UInt64(bitPattern: seconds))
        }
        if nanoseconds != 0 {
            writer.tag(2, 0)
            writer.varint(UInt64(bitPattern: Int64(nanoseconds)))
        }
    }
}
