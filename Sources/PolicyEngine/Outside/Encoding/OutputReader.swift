internal import MeshModel

/// Reads the output of an adapter outside: what header operations find behind `NAME.output.`.
///
/// Fields of one value count: texts, numbers, truth values, and Istio's and protobuf's messages of a single value. Maps
/// of texts are a STRING_MAP. What has no such form is passed over.
struct OutputReader {
    private let descriptors: DescriptorSet

    init(_ descriptors: DescriptorSet) { self.descriptors = descriptors }

    /// `nil` if it is no such message. A field that is not there is what proto3 takes it for, if that is a text,
    /// a number or a truth value.
    func read(_ bytes: ArraySlice<UInt8>, as type: String) -> [String: AttributeValue]? {
        guard let form = self.descriptors.messages[type] else { return nil }
        var values: [String: AttributeValue] = [:]
        var maps: [String: [String: String]] = [:]
        for field in form.fields where !field.isRepeated {
            if case .scalar(let scalar) = field.kind { values[field.name] = Self.zero(scalar) }
        }
        var reader = WireReader(bytes)
        while let (number, content) = reader.next() {
            guard let field = form.fields.first(where: { $0.number == number }) else { continue }
            switch field.kind {
            case .enumeration: continue
            case .scalar(let scalar):
                if field.isRepeated { continue }
                guard let value = Self.value(content, scalar) else { return nil }
                values[field.name] = value
            case .message(let name):
                guard case .bytes(let bytes) = content else { return nil }
                if field.isRepeated {
                    if let (key, value) = self.entry(bytes, name) { maps[field.name, default: [:]][key] = value }
                } else if let value = Self.message(bytes, name) {
                    values[field.name] = value
                }
            }
        }
        for (name, map) in maps { values[name] = .stringMap(map) }
        return reader.isBroken ? nil : values
    }

    private static func zero(_ scalar: MessageForm.Scalar) -> AttributeValue? {
        switch scalar {
        case .double, .float: .double(0)
        case .int32, .int64, .uint32, .uint64, .sint32, .sint64, .fixed32, .fixed64, .sfixed32, .sfixed64: .int64(0)
        case .bool: .bool(false)
        case .string: .string("")
        case .bytes: nil
        }
    }

    /// `nil`: of another wire type, or a text that is no UTF-8.
    private static func value(_ content: WireReader.Value, _ scalar: MessageForm.Scalar) -> AttributeValue? {
        switch (scalar, content) {
        case (.double, .fixed64(let bits)): .double(Double(bitPattern: bits))
        case (.float, .fixed32(let bits)): .double(Double(Float(bitPattern: bits)))
        case (.int32, .number(let bits)), (.int64, .number(let bits)): .int64(Int64(bitPattern: bits))
        // What is larger than a signed number holds is not shown as a negative one.
        case (.uint32, .number(let bits)), (.uint64, .number(let bits)), (.fixed64, .fixed64(let bits)):
            .int64(Int64(clamping: bits))
        case (.sint32, .number(let bits)), (.sint64, .number(let bits)):
            .int64(Int64(bitPattern: bits >> 1) ^ -Int64(bitPattern: bits & 1))
        case (.sfixed64, .fixed64(let bits)): .int64(Int64(bitPattern: bits))
        case (.fixed32, .fixed32(let bits)): .int64(Int64(bits))
        case (.sfixed32, .fixed32(let bits)): .int64(Int64(Int32(bitPattern: bits)))
        case (.bool, .number(let bits)): .bool(bits != 0)
        case (.string, .bytes(let bytes)), (.bytes, .bytes(let bytes)):
            String(validating: bytes, as: UTF8.self).map(AttributeValue.string)
        default: nil
        }
    }

    private func entry(_ bytes: ArraySlice<UInt8>, _ name: String) -> (key: String, value: String)? {
        guard let form = self.descriptors.messages[name], form.isMapEntry,
            form.field("key")?.kind == .scalar(.string), form.field("value")?.kind == .scalar(.string)
        else { return nil }
        var texts = ["", ""]
        var reader = WireReader(bytes)
        while let (number, content) = reader.next() {
            guard (1...2).contains(number), case .string(let text)? = Self.value(content, .string) else { continue }
            texts[number - 1] = text
        }
        return reader.isBroken ? nil : (texts[0], texts[1])
    }

    private static func message(_ bytes: ArraySlice<UInt8>, _ name: String) -> AttributeValue? {
        switch name {
        case ".google.protobuf.Duration": return Self.duration(bytes)
        case ".google.protobuf.Timestamp": return Self.timestamp(bytes)
        default: ()
        }
        guard name.hasPrefix(".istio.policy.v1beta1.") else { return nil }
        let kind = name.split(separator: ".").last ?? ""
        var reader = WireReader(bytes)
        guard let (number, content) = reader.next() else { return nil }
        if kind == "Value" { return Self.policyValue(number, content) }
        guard number == 1, case .bytes(let bytes) = content else { return nil }
        return Self.wrapped(bytes, String(kind))
    }

    private static func wrapped(_ bytes: ArraySlice<UInt8>, _ kind: String) -> AttributeValue? {
        let text = String(validating: bytes, as: UTF8.self)
        switch kind {
        case "IPAddress": return AttributeValue.address(bytes: bytes)
        case "Duration": return self.duration(bytes)
        case "TimeStamp": return self.timestamp(bytes)
        case "DNSName": return text.map(AttributeValue.dnsName)
        case "EmailAddress": return text.map(AttributeValue.emailAddress)
        case "Uri": return text.map(AttributeValue.uri)
        default: return nil
        }
    }

    private static func policyValue(_ number: Int, _ content: WireReader.Value) -> AttributeValue? {
        switch number {
        case 1: return self.value(content, .string)
        case 2: return self.value(content, .int64)
        case 3: return self.value(content, .double)
        case 4: return self.value(content, .bool)
        default: ()
        }
        let kinds = [5: "IPAddress", 6: "TimeStamp", 7: "Duration", 8: "EmailAddress", 9: "DNSName", 10: "Uri"]
        guard let kind = kinds[number], case .bytes(let bytes) = content else { return nil }
        var reader = WireReader(bytes)
        guard case (1, .bytes(let inner))? = reader.next() else { return nil }
        return self.wrapped(inner, kind)
    }

    private static func seconds(_ bytes: ArraySlice<UInt8>) -> (Int64, Int32)? {
        var seconds: Int64 = 0
        var nanoseconds: Int32 = 0
        var reader = WireReader(bytes)
        while let (number, content) = reader.next() {
            guard case .number(let bits) = content else { return nil }
            if number == 1 { seconds = Int64(bitPattern: bits) }
            if number == 2 { nanoseconds = Int32(truncatingIfNeeded: bits) }
        }
        return reader.isBroken ? nil : (seconds, nanoseconds)
    }

    private static func duration(_ bytes: ArraySlice<UInt8>) -> AttributeValue? {
        guard let (seconds, nanoseconds) = self.seconds(bytes),
            (-315_576_000_000...315_576_000_000).contains(seconds)
        else { return nil }
        return .duration(.seconds(seconds) + .nanoseconds(Int64(nanoseconds)))
    }

    private static func timestamp(_ bytes: ArraySlice<UInt8>) -> AttributeValue? {
        guard let (seconds, nanoseconds) = self.seconds(bytes) else { return nil }
        return Timestamp(seconds: seconds, nanoseconds: nanoseconds).map(AttributeValue.timestamp)
    }
}
