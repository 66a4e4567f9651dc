internal import Foundation
internal import KubernetesAPI

/// Checks what stands in an object against a message's form, and makes a plan of it.
struct EncodingPlanner {
    typealias Part = EncodingPlan.Part

    /// What leaves of the object are.
    enum Leaves {
        /// Values, as proto3's JSON writes them: the settings of handlers.
        case constants
        /// Expressions: the parameters of instances.
        case expressions(AttributeVocabulary)
    }

    struct Mistake: Hashable {
        /// `subject.properties[a]`; empty for the whole.
        var path: String
        var message: String
    }

    /// A form may refer to itself; an object has an end, and is refused before it takes the stack.
    static let depthMax = 32
    static let partsMax = 4096
    /// The field `name` of an InstanceMsg, which is the engine's to fill in.
    static let instanceNameNumber = 72_295_727

    let descriptors: DescriptorSet
    let leaves: Leaves
    /// Members that the form lacks are left out instead of complained about.
    var ignoresUnknown = false
    private(set) var mistakes: [Mistake] = []
    private var partCount = 0

    init(_ descriptors: DescriptorSet, leaves: Leaves, ignoresUnknown: Bool = false) {
        self.descriptors = descriptors
        self.leaves = leaves
        self.ignoresUnknown = ignoresUnknown
    }

    /// A planned object, and the types of its fields of type Value, in the object's form.
    struct Planned {
        var parts: [Part] = []
        var types: [String: JSONValue] = [:]
    }

    mutating func plan(_ object: JSONValue, as message: String) -> Planned {
        self.message(object, message, path: "", depth: 0)
    }

    mutating func complain(_ path: String, _ message: String) {
        self.mistakes.append(Mistake(path: path, message: message))
    }

    private mutating func message(_ object: JSONValue, _ name: String, path: String, depth: Int) -> Planned {
        var planned = Planned()
        guard !object.isNull else { return planned }
        guard let form = self.descriptors.messages[name] else {
            self.complain(path, "is of type \(name), which the descriptor lacks")
            return planned
        }
        guard let members = object.object else {
            self.complain(path, "is a \(object.typeName), not an object")
            return planned
        }
        guard depth < Self.depthMax else {
            self.complain(path, "stands more than \(Self.depthMax) levels deep")
            return planned
        }
        var parts: [(number: Int, parts: [Part])] = []
        var taken: Set<Int> = []
        var choices: [Int: String] = [:]
        let fields = depth > 0 ? form.fields : form.fields.filter { $0.number != Self.instanceNameNumber }
        for (key, value) in members.sorted(by: { $0.key < $1.key }) where !value.isNull {
            let path = path.isEmpty ? key : "\(path).\(key)"
            guard let field = fields.first(where: { $0.isNamed(key) }) else {
                if self.ignoresUnknown { continue }
                let names = fields.map(\.name).joined(separator: ", ")
                self.complain(path, fields.isEmpty ? "\(name) has no fields" : "there are \(names)")
                continue
            }
            if !taken.insert(field.number).inserted { self.complain(path, "is given twice") }
            if let choice = field.choice, let other = choices.updateValue(key, forKey: choice) {
                self.complain(path, "excludes \(other)")
            }
            parts.append((field.number, self.field(field, value, path, depth, &planned.types)))
        }
        planned.parts = parts.sorted { $0.number < $1.number }.flatMap(\.parts)
        self.partCount += planned.parts.count
        if self.partCount > Self.partsMax {
            self.complain(path, "has more than \(Self.partsMax) values")
            planned.parts = []
        }
        return planned
    }

    private mutating func field(
        _ field: MessageForm.Field,
        _ value: JSONValue,
        _ path: String,
        _ depth: Int,
        _ types: inout [String: JSONValue]
    ) -> [Part] {
        guard field.isRepeated else {
            let single = self.single(field, value, path, depth)
            if let type = single?.type { types[field.name] = type }
            return single.map { [$0.part] } ?? []
        }
        if case .message(let name) = field.kind, let entry = self.descriptors.messages[name], entry.isMapEntry {
            return self.map(field, entry, value, path, depth, &types)
        }
        guard let elements = value.array else {
            self.complain(path, "is a \(value.typeName), not a list")
            return []
        }
        guard elements.count <= Self.partsMax else {
            self.complain(path, "has more than \(Self.partsMax) elements")
            return []
        }
        if field.isPacked, case .scalar(let scalar) = field.kind, case .expressions = self.leaves {
            var expressions: [CompiledExpression] = []
            for (index, element) in elements.enumerated() {
                if let expression = self.expression(element, Self.type(scalar), "\(path)[\(index)]") {
                    expressions.append(expression)
                }
            }
            return expressions.isEmpty ? [] : [.packed(number: field.number, scalar, expressions)]
        }
        var one = field
        one.isRepeated = false
        one.hasPresence = true
        var parts: [Part] = []
        for (index, element) in elements.enumerated() {
            if let single = self.single(one, element, "\(path)[\(index)]", depth) { parts.append(single.part) }
        }
        return field.isPacked ? Self.packed(parts, field.number) : parts
    }

    /// Numbers that were written one by one, under one tag.
    private static func packed(_ parts: [Part], _ number: Int) -> [Part] {
        var content = WireWriter()
        for part in parts {
            guard case .encoded(let bytes) = part else { continue }
            var tag = WireWriter()
            tag.tag(number, 0)
            // The type of the value has three bits in the first byte and changes no tag's length.
            content.raw(bytes.dropFirst(tag.bytes.count))
        }
        guard !content.bytes.isEmpty else { return [] }
        var writer = WireWriter()
        writer.field(number, content.bytes)
        return [.encoded(writer.bytes)]
    }

    private mutating func map(
        _ field: MessageForm.Field,
        _ entry: MessageForm,
        _ value: JSONValue,
        _ path: String,
        _ depth: Int,
        _ types: inout [String: JSONValue]
    ) -> [Part] {
        guard let keyField = entry.field("key"), var valueField = entry.field("value") else { return [] }
        // A whole map, such as `request.headers`.
        if case .string = value, case .expressions = self.leaves, keyField.kind == .scalar(.string),
            valueField.kind == .scalar(.string)
        {
            let expression = self.expression(value, .stringMap, path)
            return expression.map { [.stringMap(number: field.number, $0)] } ?? []
        }
        guard let members = value.object else {
            self.complain(path, "is a \(value.typeName), not an object")
            return []
        }
        valueField.hasPresence = true
        var parts: [Part] = []
        var entryTypes: [String: JSONValue] = [:]
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            let path = "\(path)[\(key)]"
            guard let keyBytes = self.key(key, keyField, path),
                let single = self.single(valueField, value, path, depth)
            else { continue }
            if let type = single.type { entryTypes[key] = type }
            parts.append(.message(number: field.number, [.encoded(keyBytes), single.part]))
        }
        if !entryTypes.isEmpty { types[field.name] = .object(entryTypes) }
        return parts
    }

    /// The key of an entry, tag and all.
    private mutating func key(_ text: String, _ field: MessageForm.Field, _ path: String) -> [UInt8]? {
        guard case .scalar(let scalar) = field.kind else { return nil }
        let value: AttributeValue? =
            switch scalar {
            case .string: .string(text)
            case .bool: text == "true" ? .bool(true) : text == "false" ? .bool(false) : nil
            default: Int64(text).map(AttributeValue.int64)
            }
        guard let value else {
            self.complain(path, "has a key that is no \(scalar)")
            return nil
        }
        return self.encoded(value, .scalar(scalar), field.number, hasPresence: true, path)
    }

    /// A value of its own, or one element of many.
    private mutating func single(
        _ field: MessageForm.Field,
        _ value: JSONValue,
        _ path: String,
        _ depth: Int
    ) -> (part: Part, type: JSONValue?)? {
        switch field.kind {
        case .enumeration(let name): return self.enumeration(name, value, field, path).map { ($0, nil) }
        case .scalar(let scalar): return self.leaf(.scalar(scalar), value, field, path)
        case .message(let name):
            if let leaf = self.leaf(of: name, value) { return self.leaf(leaf, value, field, path) }
            let planned = self.message(value, name, path: path, depth: depth + 1)
            let type: JSONValue? = planned.types.isEmpty ? nil : .object(planned.types)
            return (.message(number: field.number, planned.parts), type)
        }
    }

    /// Messages that are written as one value.
    private func leaf(of name: String, _ value: JSONValue) -> EncodingPlan.Leaf? {
        let isConstant = if case .constants = self.leaves { true } else { false }
        switch name {
        case ".google.protobuf.Timestamp": return isConstant && value.string == nil ? nil : .timestamp
        case ".google.protobuf.Duration": return isConstant && value.string == nil ? nil : .duration
        default: ()
        }
        guard !isConstant, let package = Self.packages.first(where: { name.hasPrefix($0) }) else { return nil }
        switch name.dropFirst(package.count) {
        case "Value": return .value
        case "IPAddress": return .wrapped(.ipAddress)
        case "Duration": return .wrapped(.duration)
        case "TimeStamp": return .wrapped(.timestamp)
        case "DNSName": return .wrapped(.dnsName)
        case "EmailAddress": return .wrapped(.emailAddress)
        case "Uri": return .wrapped(.uri)
        default: return nil
        }
    }

    /// Where Istio's types of values stand: since 1.0, and before.
    private static let packages = [".istio.policy.v1beta1.", ".istio.mixer.adapter.model.v1beta1."]

    private mutating func leaf(
        _ leaf: EncodingPlan.Leaf,
        _ value: JSONValue,
        _ field: MessageForm.Field,
        _ path: String
    ) -> (part: Part, type: JSONValue?)? {
        guard case .expressions = self.leaves else {
            return self.constant(leaf, value, field, path).map { (.encoded($0), nil) }
        }
        let wanted: ValueType? =
            switch leaf {
            case .scalar(let scalar): Self.type(scalar)
            case .value: nil
            case .wrapped(let type): type
            case .timestamp: .timestamp
            case .duration: .duration
            }
        guard let expression = self.expression(value, wanted, path) else { return nil }
        if leaf == .value, expression.type == .stringMap {
            self.complain(path, "is a STRING_MAP, which has no place in a Value; name one of its keys")
        }
        if leaf == .scalar(.bytes), expression.type != .string, expression.type != .ipAddress {
            self.complain(path, "is a \(expression.type); bytes are made of a STRING or an IP_ADDRESS")
        }
        return (
            .leaf(number: field.number, leaf, expression, hasPresence: field.hasPresence),
            leaf == .value ? .string(expression.type.rawValue) : nil
        )
    }

    /// `nil`: of several types.
    private static func type(_ scalar: MessageForm.Scalar) -> ValueType? {
        switch scalar {
        case .double, .float: .double
        case .int32, .int64, .uint32, .uint64, .sint32, .sint64, .fixed32, .fixed64, .sfixed32, .sfixed64: .int64
        case .bool: .bool
        case .string: .string
        case .bytes: nil
        }
    }

    private mutating func expression(_ value: JSONValue, _ wanted: ValueType?, _ path: String) -> CompiledExpression? {
        guard case .expressions(let vocabulary) = self.leaves else { return nil }
        do throws(CompiledExpression.MemberMistake) {
            return try CompiledExpression.member(value, vocabulary: vocabulary, wanted: wanted)
        } catch {
            self.complain(path, error.message)
            return nil
        }
    }

    // MARK: Constants

    private mutating func enumeration(
        _ name: String,
        _ value: JSONValue,
        _ field: MessageForm.Field,
        _ path: String
    ) -> Part? {
        let numbers = self.descriptors.enumerations[name] ?? [:]
        guard let number = value.string.flatMap({ numbers[$0] }) ?? value.int.flatMap(Int32.init(exactly:)) else {
            let names = numbers.sorted { $0.value < $1.value }.prefix(32).map(\.key).joined(separator: ", ")
            self.complain(path, "is none of \(names)")
            return nil
        }
        let encoded = self.encoded(
            .int64(Int64(number)),
            .scalar(.int32),
            field.number,
            hasPresence: field.hasPresence,
            path
        )
        return encoded.map(Part.encoded)
    }

    private mutating func constant(
        _ leaf: EncodingPlan.Leaf,
        _ value: JSONValue,
        _ field: MessageForm.Field,
        _ path: String
    ) -> [UInt8]? {
        var attribute: AttributeValue?
        var wanted = "\(leaf)"
        switch leaf {
        case .scalar(let scalar):
            wanted = "\(scalar)"
            switch scalar {
            case .string: attribute = value.string.map(AttributeValue.string)
            case .bool: attribute = value.bool.map(AttributeValue.bool)
            case .double, .float:
                attribute = (value.double ?? value.string.flatMap(Double.init)).map(AttributeValue.double)
            case .bytes:
                guard let data = value.string.flatMap({ Data(base64Encoded: $0) }) else { break }
                var writer = WireWriter()
                if field.hasPresence || !data.isEmpty { writer.field(field.number, data) }
                return writer.bytes
            case .int32, .int64, .uint32, .uint64, .sint32, .sint64, .fixed32, .fixed64, .sfixed32, .sfixed64:
                attribute = (value.int.map(Int64.init) ?? value.string.flatMap { Int64($0) }).map(AttributeValue.int64)
            }
        case .timestamp: attribute = value.string.flatMap(Timestamp.init).map(AttributeValue.timestamp)
        case .duration: attribute = value.string.flatMap(DurationText.parse).map(AttributeValue.duration)
        // Of these there are only expressions.
        case .value, .wrapped: ()
        }
        guard let attribute else {
            self.complain(path, "is no \(wanted): \(value.text().prefix(64))")
            return nil
        }
        return self.encoded(attribute, leaf, field.number, hasPresence: field.hasPresence, path)
    }

    private mutating func encoded(
        _ value: AttributeValue,
        _ leaf: EncodingPlan.Leaf,
        _ number: Int,
        hasPresence: Bool,
        _ path: String
    ) -> [UInt8]? {
        var writer = WireWriter()
        do throws(EvaluationError) {
            try LeafWriter.write(value, as: leaf, number: number, hasPresence: hasPresence, to: &writer)
            return writer.bytes
        } catch {
            self.complain(path, error.message)
            return nil
        }
    }
}
