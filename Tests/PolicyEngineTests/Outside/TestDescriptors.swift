import Foundation
import KubernetesAPI
import PolicyEngine
import SwiftProtobuf

typealias FileForm = Google_Protobuf_FileDescriptorProto
typealias FieldForm = Google_Protobuf_FieldDescriptorProto
typealias TypeForm = Google_Protobuf_DescriptorProto

/// A field; with `many` a list.
func field(
    _ name: String,
    _ number: Int32,
    _ type: FieldForm.TypeEnum,
    _ typeName: String = "",
    many: Bool = false
) -> FieldForm {
    .with {
        $0.name = name
        $0.jsonName = name.split(separator: "_").enumerated()
            .map { $0.offset == 0 ? String($0.element) : $0.element.capitalized }
            .joined()
        $0.number = number
        $0.type = type
        $0.label = many ? .repeated : .optional
        if !typeName.isEmpty { $0.typeName = typeName }
    }
}

func type(_ name: String, _ fields: [FieldForm], nested: [TypeForm] = []) -> TypeForm {
    .with {
        $0.name = name
        $0.field = fields
        $0.nestedType = nested
    }
}

/// The entries of a map from texts.
func entryType(_ name: String, _ valueType: FieldForm.TypeEnum, _ valueTypeName: String = "") -> TypeForm {
    .with {
        $0 = type(name, [field("key", 1, .string), field("value", 2, valueType, valueTypeName)])
        $0.options.mapEntry = true
    }
}

func file(_ package: String, _ types: [TypeForm], variety: UInt8? = nil, syntax: String = "proto3") -> FileForm {
    .with {
        $0.name = "\(package).proto"
        $0.package = package
        $0.syntax = syntax
        $0.messageType = types
        // The tag of template_variety, which stands among the unknown fields.
        let option = variety.map { [0xf8, 0xd2, 0xe4, 0x93, 0x02, $0] as [UInt8] }
        if let option, let options = try? Google_Protobuf_FileOptions(serializedBytes: option) { $0.options = options }
    }
}

func descriptors(_ files: FileForm...) -> Google_Protobuf_FileDescriptorSet { .with { $0.file = files } }

extension Google_Protobuf_FileDescriptorSet {
    var base64: String {
        // A message of ours has nothing that could be missing.
        ((try? self.serializedBytes() as [UInt8]).map { Data($0) } ?? Data()).base64EncodedString()
    }
}

/// `google.protobuf.Duration` and `Timestamp`.
let timeFile = file(
    "google.protobuf",
    ["Duration", "Timestamp"].map { type($0, [field("seconds", 1, .int64), field("nanos", 2, .int32)]) }
)

/// Istio's types of values.
let valueFile: FileForm = {
    let scope = ".istio.policy.v1beta1"
    let texts = ["DNSName", "EmailAddress", "Uri"].map { type($0, [field("value", 1, .string)]) }
    var value = type(
        "Value",
        [
            field("string_value", 1, .string), field("int64_value", 2, .int64), field("double_value", 3, .double),
            field("bool_value", 4, .bool), field("ip_address_value", 5, .message, "\(scope).IPAddress"),
            field("timestamp_value", 6, .message, "\(scope).TimeStamp"),
            field("duration_value", 7, .message, "\(scope).Duration"),
            field("email_address_value", 8, .message, "\(scope).EmailAddress"),
            field("dns_name_value", 9, .message, "\(scope).DNSName"), field("uri_value", 10, .message, "\(scope).Uri"),
        ]
    )
    for index in value.field.indices { value.field[index].oneofIndex = 0 }
    var file = file(
        "istio.policy.v1beta1",
        [value] + texts + [
            type("IPAddress", [field("value", 1, .bytes)]),
            type("Duration", [field("value", 1, .message, ".google.protobuf.Duration")]),
            type("TimeStamp", [field("value", 1, .message, ".google.protobuf.Timestamp")]),
        ]
    )
    var types = Google_Protobuf_EnumDescriptorProto()
    types.name = "ValueType"
    for (name, number) in [("VALUE_TYPE_UNSPECIFIED", 0)] + ValueType.allCases.map({ ($0.rawValue, $0.number) }) {
        var value = Google_Protobuf_EnumValueDescriptorProto()
        value.name = name
        value.number = Int32(number)
        types.value.append(value)
    }
    file.enumType = [types]
    return file
}()

/// A template like Mixer's `authorization`, for checks; another variety by its number.
func authorizationFile(variety: UInt8 = 0) -> FileForm {
    let value = ".istio.policy.v1beta1.Value"
    func texts(_ names: [String]) -> [FieldForm] {
        names.enumerated().map { field($0.element, Int32($0.offset + 1), .string) }
    }
    func properties(_ owner: String, _ number: Int32) -> FieldForm {
        field("properties", number, .message, ".authorization.\(owner).PropertiesEntry", many: true)
    }
    let types = [
        type(
            "InstanceMsg",
            [
                field("name", 72_295_727, .string), field("subject", 1, .message, ".authorization.SubjectMsg"),
                field("action", 2, .message, ".authorization.ActionMsg"),
            ]
        ),
        type(
            "SubjectMsg",
            texts(["user", "groups"]) + [properties("SubjectMsg", 3)],
            nested: [entryType("PropertiesEntry", .message, value)]
        ),
        type(
            "ActionMsg",
            texts(["namespace", "service", "method", "path"]) + [properties("ActionMsg", 5)],
            nested: [entryType("PropertiesEntry", .message, value)]
        ),
        type("Type", [field("action", 2, .message, ".authorization.ActionType")]),
        type(
            "ActionType",
            [properties("ActionType", 5)],
            nested: [entryType("PropertiesEntry", .enum, ".istio.policy.v1beta1.ValueType")]
        ),
    ]
    return file("authorization", types, variety: variety)
}

/// The settings of an adapter, last message of its file.
let settingsFile = file(
    "test.settings",
    [
        type(
            "Params",
            [
                field("endpoint", 1, .string), field("keys", 2, .string, many: true),
                field("wait_time", 3, .message, ".google.protobuf.Duration"),
            ]
        )
    ]
)

func templateObject(_ name: String, _ set: Google_Protobuf_FileDescriptorSet) -> KubernetesObject {
    policyObject("template", name, ["descriptor": .string(set.base64)])
}

/// An adapter `checker` for the template `authorization`, a handler, an instance and a rule without conditions.
func outsideObjects(
    address: String,
    isSessionBased: Bool = false,
    variety: UInt8 = 0,
    endpoint: String = "here",
    timeout: String = "30s",
    params: JSONValue = [
        "subject": ["user": #"source.principal | "nobody""#],
        "action": ["path": #"request.path | """#, "properties": ["size": "request.size | 0"]],
    ]
) -> [KubernetesObject] {
    [
        templateObject("authorization", descriptors(timeFile, valueFile, authorizationFile(variety: variety))),
        policyObject(
            "adapter",
            "checker",
            [
                "session_based": .bool(isSessionBased), "templates": ["authorization"],
                "config": .string(descriptors(timeFile, settingsFile).base64),
            ]
        ),
        policyObject(
            "handler",
            "h",
            [
                "adapter": "checker", "connection": ["address": .string(address), "timeout": .string(timeout)],
                "params": ["endpoint": .string(endpoint)],
            ]
        ), policyObject("instance", "i", ["template": "authorization", "params": params]),
        policyObject("rule", "r", ["actions": [["handler": "h", "instances": ["i"]]]]),
    ]
}
