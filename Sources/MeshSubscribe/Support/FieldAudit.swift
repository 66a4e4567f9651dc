internal import Foundation
internal import SwiftProtobuf

/// Finds fields that are set and not supported, in a message and all messages in it.
///
/// Building a resource then only has to look at the fields that it uses: nothing that was said is dropped in silence.
struct FieldAudit: Visitor {
    private(set) var findings = Findings()
    private let path: String
    private let row: SupportedFields.Row

    /// Findings about `message`, which stands at `path`.
    static func findings(in message: some SwiftProtobuf.Message, at path: String) -> [Finding] {
        guard let row = SupportedFields.all[type(of: message).protoMessageName] else { return [] }
        var audit = FieldAudit(path: path, row: row)
        do { try message.traverse(visitor: &audit) } catch {
            audit.findings.add(path, "cannot be read: \(error)")
        }
        return audit.findings.list
    }

    private init(path: String, row: SupportedFields.Row) {
        self.path = path
        self.row = row
    }

    /// The field's name if it may be looked into.
    private mutating func check(_ number: Int) -> String? {
        guard let field = self.row.field(number) else {
            self.findings.add(self.path, "field \(number) is not supported; supported: \(self.row.supported)")
            return nil
        }
        switch field.use {
        case .used: return field.name
        case .ignored: return nil
        case .refused:
            self.findings.add(
                joined(self.path, field.name),
                "\(field.name) is not supported; supported: \(self.row.supported)"
            )
            return nil
        }
    }

    mutating func visitSingularMessageField<M: SwiftProtobuf.Message>(value: M, fieldNumber: Int) throws {
        guard let name = self.check(fieldNumber) else { return }
        self.findings.append(Self.findings(in: value, at: joined(self.path, name)))
    }

    mutating func visitRepeatedMessageField<M: SwiftProtobuf.Message>(value: [M], fieldNumber: Int) throws {
        guard let name = self.check(fieldNumber) else { return }
        guard SupportedFields.all[M.protoMessageName] != nil else { return }
        for (index, element) in value.enumerated() {
            self.findings.append(Self.findings(in: element, at: "\(joined(self.path, name))[\(index)]"))
        }
    }

    mutating func visitSingularDoubleField(value: Double, fieldNumber: Int) throws { _ = self.check(fieldNumber) }
    mutating func visitSingularInt64Field(value: Int64, fieldNumber: Int) throws { _ = self.check(fieldNumber) }
    mutating func visitSingularUInt64Field(value: UInt64, fieldNumber: Int) throws { _ = self.check(fieldNumber) }
    mutating func visitSingularBoolField(value: Bool, fieldNumber: Int) throws { _ = self.check(fieldNumber) }
    mutating func visitSingularStringField(value: String, fieldNumber: Int) throws { _ = self.check(fieldNumber) }
    mutating func visitSingularBytesField(value: Data, fieldNumber: Int) throws { _ = self.check(fieldNumber) }
    mutating func visitSingularEnumField<E: SwiftProtobuf.Enum>(value: E, fieldNumber: Int) throws {
        _ = self.check(fieldNumber)
    }

    mutating func visitMapField<KeyType, ValueType: MapValueType>(
        fieldType: _ProtobufMap<KeyType, ValueType>.Type,
        value: _ProtobufMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws { _ = self.check(fieldNumber) }

    mutating func visitMapField<KeyType, ValueType>(
        fieldType: _ProtobufEnumMap<KeyType, ValueType>.Type,
        value: _ProtobufEnumMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws { _ = self.check(fieldNumber) }

    mutating func visitMapField<KeyType, ValueType>(
        fieldType: _ProtobufMessageMap<KeyType, ValueType>.Type,
        value: _ProtobufMessageMap<KeyType, ValueType>.BaseType,
        fieldNumber: Int
    ) throws { _ = self.check(fieldNumber) }

    mutating func visitUnknown(bytes: Data) throws {
        self.findings.add(self.path, "has fields that are not known here; supported: \(self.row.supported)")
    }
}
