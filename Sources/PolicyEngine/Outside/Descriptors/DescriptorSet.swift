internal import Foundation
package import SwiftProtobuf

/// The types of a `google.protobuf.FileDescriptorSet`, as `protoc --include_imports` writes it.
///
/// Types may refer to themselves and to each other in circles, which protobuf allows; nothing here follows references
/// further than it is asked to.
package struct DescriptorSet: Sendable, Hashable {
    /// Why a set is not usable.
    package struct Mistake: Error, Sendable, Hashable, CustomStringConvertible {
        package var description: String
    }

    package struct Method: Sendable, Hashable {
        package var name: String
        package var input: String
        package var output: String
    }

    package struct Service: Sendable, Hashable {
        package var name: String
        package var methods: [Method]
    }

    package struct File: Sendable, Hashable {
        package var name: String
        package var package: String
        /// Names of the messages that stand in no other, in the file's order.
        package var messages: [String]
        package var services: [Service]
        /// What `istio.mixer.adapter.model.v1beta1.template_variety` says, if the file has this option.
        package var variety: UInt64?
    }

    /// The API server takes objects of 3 MiB; in base64 that is no more than this many bytes.
    package static let bytesMax = 3 << 20
    /// Istio's largest template has eleven files with 60 messages.
    package static let filesMax = 256
    package static let messagesMax = 4096
    package static let fieldsMax = 32_768
    /// The option's field number (mixer/adapter/model/v1beta1/extensions.proto).
    private static let varietyNumber = 72_295_727

    /// In the set's order: what is imported comes before who imports it.
    package private(set) var files: [File] = []
    package private(set) var messages: [String: MessageForm] = [:]
    /// The numbers of each enumeration by their names.
    package private(set) var enumerations: [String: [String: Int32]] = [:]
    private var fieldCount = 0

    /// Reads a set in base64, with or without line breaks.
    package init(base64 text: String) throws(Mistake) {
        guard text.utf8.count <= Self.bytesMax * 3 / 2 else {
            throw Mistake(description: "has more than \(Self.bytesMax) bytes")
        }
        guard let data = Data(base64Encoded: text.filter { !$0.isWhitespace }) else {
            throw Mistake(description: "is no base64")
        }
        try self.init(bytes: Array(data))
    }

    package init(bytes: [UInt8]) throws(Mistake) {
        guard bytes.count <= Self.bytesMax else { throw Mistake(description: "has more than \(Self.bytesMax) bytes") }
        let set: Google_Protobuf_FileDescriptorSet
        do {
            // 100 levels deep at most, which is the library's own limit.
            set = try Google_Protobuf_FileDescriptorSet(serializedBytes: bytes)
        } catch {
            throw Mistake(description: "is no google.protobuf.FileDescriptorSet: \(error)")
        }
        try self.init(set)
    }

    package init(_ set: Google_Protobuf_FileDescriptorSet) throws(Mistake) {
        guard !set.file.isEmpty else { throw Mistake(description: "has no files in it") }
        guard set.file.count <= Self.filesMax else {
            throw Mistake(description: "has more than \(Self.filesMax) files")
        }
        for file in set.file { try self.add(file) }
    }

    private mutating func add(_ file: Google_Protobuf_FileDescriptorProto) throws(Mistake) {
        guard ["", "proto2", "proto3"].contains(file.syntax) else {
            throw Mistake(description: "\(file.name) is written in \(file.syntax); proto2 and proto3 are read")
        }
        let scope = file.package.isEmpty ? "" : ".\(file.package)"
        let isProto3 = file.syntax == "proto3"
        for message in file.messageType { try self.add(message, in: scope, isProto3: isProto3) }
        for enumeration in file.enumType { self.add(enumeration, in: scope) }
        var services: [Service] = []
        for service in file.service {
            let methods = service.method.filter { !$0.clientStreaming && !$0.serverStreaming }
                .map { Method(name: $0.name, input: $0.inputType, output: $0.outputType) }
            services.append(Service(name: service.name, methods: methods))
        }
        var variety: UInt64?
        var reader = WireReader(Array(file.options.unknownFields.data))
        while let field = reader.next() {
            if field.number == Self.varietyNumber, case .number(let value) = field.value { variety = value }
        }
        self.files.append(
            File(
                name: file.name,
                package: file.package,
                messages: file.messageType.map { "\(scope).\($0.name)" },
                services: services,
                variety: variety
            )
        )
    }

    private mutating func add(
        _ message: Google_Protobuf_DescriptorProto,
        in scope: String,
        isProto3: Bool
    ) throws(Mistake) {
        let name = "\(scope).\(message.name)"
        guard self.messages.count < Self.messagesMax else {
            throw Mistake(description: "has more than \(Self.messagesMax) messages")
        }
        self.fieldCount += message.field.count
        guard self.fieldCount <= Self.fieldsMax else {
            throw Mistake(description: "has more than \(Self.fieldsMax) fields")
        }
        var fields: [MessageForm.Field] = []
        var numbers: Set<Int32> = []
        for field in message.field {
            // 29 bits are what a tag has room for.
            guard (1...536_870_911).contains(field.number), numbers.insert(field.number).inserted else {
                throw Mistake(description: "\(name).\(field.name) has a number that is taken or none: \(field.number)")
            }
            fields.append(try Self.form(field, in: name, isProto3: isProto3))
        }
        guard self.messages[name] == nil else { throw Mistake(description: "\(name) is defined twice") }
        self.messages[name] = MessageForm(
            name: name,
            fields: fields.sorted { $0.number < $1.number },
            isMapEntry: message.options.mapEntry
        )
        for nested in message.nestedType { try self.add(nested, in: name, isProto3: isProto3) }
        for enumeration in message.enumType { self.add(enumeration, in: name) }
    }

    private mutating func add(_ enumeration: Google_Protobuf_EnumDescriptorProto, in scope: String) {
        self.enumerations["\(scope).\(enumeration.name)"] = Dictionary(
            enumeration.value.map { ($0.name, $0.number) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private static func form(
        _ field: Google_Protobuf_FieldDescriptorProto,
        in message: String,
        isProto3: Bool
    ) throws(Mistake) -> MessageForm.Field {
        guard field.hasType, let kind = Self.kind(field) else {
            throw Mistake(description: "\(message).\(field.name) has a type that is not known")
        }
        let isRepeated = field.label == .repeated
        let isMessage = if case .message = kind { true } else { false }
        var isPackable = false
        switch kind {
        case .scalar(let scalar): isPackable = scalar.isPackable
        case .enumeration: isPackable = true
        case .message: ()
        }
        return MessageForm.Field(
            name: field.name,
            jsonName: field.hasJsonName ? field.jsonName : field.name,
            number: Int(field.number),
            kind: kind,
            isRepeated: isRepeated,
            isPacked: isRepeated && isPackable && (field.options.hasPacked ? field.options.packed : isProto3),
            hasPresence: !isRepeated && (isMessage || !isProto3 || field.hasOneofIndex),
            choice: field.hasOneofIndex ? Int(field.oneofIndex) : nil
        )
    }

    /// `nil` for groups, which nobody writes any more.
    private static func kind(_ field: Google_Protobuf_FieldDescriptorProto) -> MessageForm.Kind? {
        switch field.type {
        case .double: .scalar(.double)
        case .float: .scalar(.float)
        case .int64: .scalar(.int64)
        case .uint64: .scalar(.uint64)
        case .int32: .scalar(.int32)
        case .fixed64: .scalar(.fixed64)
        case .fixed32: .scalar(.fixed32)
        case .bool: .scalar(.bool)
        case .string: .scalar(.string)
        case .group: nil
        case .message: .message(field.typeName)
        case .bytes: .scalar(.bytes)
        case .uint32: .scalar(.uint32)
        case .enum: .enumeration(field.typeName)
        case .sfixed32: .scalar(.sfixed32)
        case .sfixed64: .scalar(.sfixed64)
        case .sint32: .scalar(.sint32)
        case .sint64: .scalar(.sint64)
        }
    }

    /// Complains about the first type below a message that is missing, such as one of an import that was left out.
    package func requireTypes(below root: String) throws(Mistake) {
        var seen: Set<String> = [root]
        var waiting = [root]
        while let name = waiting.popLast() {
            guard let message = self.messages[name] else { throw Mistake(description: "has no message \(name)") }
            for field in message.fields {
                switch field.kind {
                case .scalar: ()
                case .enumeration(let type):
                    guard self.enumerations[type] != nil else { throw Self.missing(type, message, field) }
                case .message(let type):
                    guard self.messages[type] != nil else { throw Self.missing(type, message, field) }
                    if seen.insert(type).inserted { waiting.append(type) }
                }
            }
        }
    }

    private static func missing(_ type: String, _ message: MessageForm, _ field: MessageForm.Field) -> Mistake {
        Mistake(
            description: "\(message.name).\(field.name) is of type \(type), which is in none of its files; "
                + "protoc writes them all with --include_imports"
        )
    }
}
