import Foundation
import KubernetesAPI
import MeshModel
import MixerAPI
import PolicyEngine
import ServerlessAPI
import SwiftProtobuf
import Testing

/// What is written by descriptors is, byte for byte, what generated code writes.
@Suite struct EncodingTests {
    private static let vocabulary = AttributeVocabulary.standard

    /// An instance of a template whose InstanceMsg has these fields.
    private func template(_ fields: [FieldForm], nested: [TypeForm] = []) throws -> TemplateSchema {
        let instance = type("InstanceMsg", fields + [field("name", 72_295_727, .string)], nested: nested)
        let set = try DescriptorSet(descriptors(timeFile, valueFile, file("t", [instance], variety: 1)))
        return try OutsideTemplate(set, name: "t", namespace: "istio-system").schema
    }

    private func instance(_ schema: TemplateSchema, _ params: JSONValue) -> (CompiledInstance, [String]) {
        var mistakes: [String] = []
        let instance = CompiledInstance(
            name: "i",
            namespace: "ns",
            schema: schema,
            params: params,
            vocabulary: Self.vocabulary
        ) { mistakes.append("\($0): \($1)") }
        return (instance, mistakes)
    }

    private func bytes(
        _ schema: TemplateSchema,
        _ params: JSONValue,
        _ values: [String: AttributeValue] = [:]
    ) throws -> [UInt8] {
        let (instance, mistakes) = self.instance(schema, params)
        #expect(mistakes.isEmpty)
        var evaluation = Evaluation(request(values))
        return try instance.evaluate(&evaluation).encoded
    }

    private static var deterministic: BinaryEncodingOptions {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        return options
    }

    @Test("An instance of `authorization` is the message that adapters in other languages expect")
    func authorization() throws {
        let schema = try OutsideTemplate(
            DescriptorSet(descriptors(timeFile, valueFile, authorizationFile())),
            name: "authorization",
            namespace: "istio-system"
        ).schema
        let params: JSONValue = [
            "subject": ["user": #"source.principal | """#, "groups": #""""#],
            "action": [
                "path": "request.path", "service": #"destination.service.host | "none""#,
                "properties": ["b": #""x""#, "a": #"request.method | "GET""#],
            ],
        ]

        let found = try self.bytes(schema, params, ["request.path": .string("/é"), "source.principal": .string("ann")])

        let wanted = Authorization_InstanceMsg.with {
            $0.name = "i.instance.ns"
            $0.subject.user = "ann"
            $0.action.path = "/é"
            $0.action.service = "none"
            $0.action.properties = ["a": .with { $0.stringValue = "GET" }, "b": .with { $0.stringValue = "x" }]
        }
        #expect(found == (try wanted.serializedBytes(options: Self.deterministic) as [UInt8]))
    }

    @Test("Settings are written as generated code writes them")
    func settings() throws {
        let quota = ".istio.mixer.adapter.model.v1beta1.QuotaRequest"
        let set = try DescriptorSet(
            descriptors(
                file(
                    "istio.mixer.adapter.model.v1beta1",
                    [
                        type(
                            "QuotaRequest",
                            [field("quotas", 1, .message, "\(quota).QuotasEntry", many: true)],
                            nested: [
                                type("QuotaParams", [field("amount", 1, .int64), field("best_effort", 2, .bool)]),
                                entryType("QuotasEntry", .message, "\(quota).QuotaParams"),
                            ]
                        ), type("Params", [field("request", 1, .message, quota)]),
                    ]
                )
            )
        )
        let form = try OutsideAdapterForm(
            name: "a",
            namespace: "ns",
            isSessionBased: false,
            templates: [],
            descriptors: set
        )
        let params: JSONValue = [
            "request": ["quotas": ["one": ["amount": 300, "bestEffort": true], "two": ["amount": "-1"], "zero": [:]]]
        ]

        let found = form.encode(params) { Issue.record("\($0): \($1)") }

        let inner: [UInt8] = try Istio_Mixer_Adapter_Model_V1beta1_QuotaRequest.with {
            $0.quotas["one"] = .with {
                $0.amount = 300
                $0.bestEffort = true
            }
            $0.quotas["two"] = .with { $0.amount = -1 }
            $0.quotas["zero"] = .init()
        }.serializedBytes(options: Self.deterministic)
        let any = Google_Protobuf_Any.with {
            $0.typeURL = "type.googleapis.com/istio.mixer.adapter.model.v1beta1.Params"
            $0.value = Data([0x0a, UInt8(inner.count)] + inner)
        }
        #expect(found == (try any.serializedBytes() as [UInt8]))
    }

    @Test("Every scalar has its form on the wire")
    func scalars() throws {
        let minusOne: [UInt8] = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]
        let minusOneFixed: [UInt8] = [0x09, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
        let rows: [(FieldForm.TypeEnum, String, [UInt8])] = [
            (.double, "1.5", [0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]), (.float, "1.5", [0x0d, 0, 0, 0xc0, 0x3f]),
            (.int64, "-1", minusOne),
            (.int32, "-1", minusOne), (.uint64, "300", [0x08, 0xac, 0x02]),
            (.uint32, "300", [0x08, 0xac, 0x02]), (.sint64, "-2", [0x08, 0x03]), (.sint32, "2", [0x08, 0x04]),
            (.fixed64, "1", [0x09, 1, 0, 0, 0, 0, 0, 0, 0]),
            (.sfixed64, "-1", minusOneFixed), (.fixed32, "1", [0x0d, 1, 0, 0, 0]),
            (.sfixed32, "-1", [0x0d, 0xff, 0xff, 0xff, 0xff]), (.bool, "true", [0x08, 1]),
            (.string, #""a""#, [0x0a, 1, 0x61]), (.bytes, #""a""#, [0x0a, 1, 0x61]),
            (.bytes, #"ip("1.2.3.4")"#, [0x0a, 4, 1, 2, 3, 4]), (.int64, "0", []), (.string, #""""#, []),
            (.bool, "false", []), (.double, "0.0", []),
        ]
        for (kind, source, wanted) in rows {
            let schema = try self.template([field("value", 1, kind)])
            let found = try self.bytes(schema, ["value": .string(source)])
            #expect(found.dropLast(Self.name.count) == wanted[...], "\(kind) \(source)")
            #expect(Array(found.suffix(Self.name.count)) == Self.name)
        }
    }

    /// The field `name` with the text `i.instance.ns`.
    private static let name: [UInt8] = [0xfa, 0xd2, 0xe4, 0x93, 0x02, 13] + Array("i.instance.ns".utf8)

    @Test("Numbers that a field cannot hold are errors, as is a message that is too large")
    func bounds() throws {
        let rows: [(FieldForm.TypeEnum, String)] = [
            (.int32, "2147483648"), (.uint32, "-1"), (.uint64, "-1"), (.fixed32, "4294967296"),
            (.sint32, "-2147483649"),
        ]
        for (kind, source) in rows {
            let (instance, _) = self.instance(try self.template([field("value", 1, kind)]), ["value": .string(source)])
            var evaluation = Evaluation(request([:]))
            #expect(throws: EvaluationError.self) { try instance.evaluate(&evaluation) }
        }
        let text = String(repeating: "x", count: EncodingPlan.bytesMax)
        let schema = try self.template([field("value", 1, .string)])
        #expect(throws: EvaluationError.self) {
            try self.bytes(schema, ["value": "request.path"], ["request.path": .string(text)])
        }
    }

    @Test("Values carry the type of their expression")
    func values() throws {
        let schema = try self.template([field("value", 1, .message, ".istio.policy.v1beta1.Value")])
        let rows: [(String, [UInt8])] = [
            (#""a""#, [0x0a, 1, 0x61]), ("7", [0x10, 7]), ("true", [0x20, 1]),
            (#""1.5s""#, [0x3a, 10, 0x0a, 8, 0x08, 1, 0x10]),
            (#"ip("1.2.3.4")"#, [0x2a, 6, 0x0a, 4, 1, 2, 3, 4]), (#"dnsName("a.b")"#, [0x4a, 5, 0x0a, 3]),
            (#"email("a@b.c")"#, [0x42, 7]), (#"uri("http://a")"#, [0x52, 10]),
            (#"timestamp("1970-01-01T00:00:01Z")"#, [0x32, 4, 0x0a, 2, 0x08, 1]), ("0", [0x10, 0]),
        ]
        for (source, wanted) in rows {
            let found = try self.bytes(schema, ["value": .string(source)])
            #expect(found.dropFirst(2).prefix(wanted.count) == wanted[...], "\(source)")
        }
    }

    @Test("Lists, maps and whole maps of attributes are written")
    func many() throws {
        let schema = try self.template(
            [
                field("numbers", 1, .int64, many: true), field("texts", 2, .string, many: true),
                field("headers", 3, .message, ".t.InstanceMsg.HeadersEntry", many: true),
            ],
            nested: [entryType("HeadersEntry", .string)]
        )
        let values: [String: AttributeValue] = ["request.headers": .stringMap(["b": "2", "a": "1"])]

        let found = try self.bytes(
            schema,
            ["numbers": [1, "2"], "texts": [#""""#, #""x""#], "headers": "request.headers"],
            values
        )
        let single = try self.bytes(schema, ["headers": ["a": #"request.headers["b"]"#]], values)

        let entries: [UInt8] = [0x1a, 6, 0x0a, 1, 0x61, 0x12, 1, 0x31, 0x1a, 6, 0x0a, 1, 0x62, 0x12, 1, 0x32]
        #expect(found == [0x0a, 2, 1, 2, 0x12, 0, 0x12, 1, 0x78] + entries + Self.name)
        #expect(single == [0x1a, 6, 0x0a, 1, 0x61, 0x12, 1, 0x32] + Self.name)
    }

    @Test("What is wrong with parameters is told with its path, and its column in an expression")
    func mistakes() throws {
        let schema = try OutsideTemplate(
            DescriptorSet(descriptors(timeFile, valueFile, authorizationFile())),
            name: "authorization",
            namespace: "istio-system"
        ).schema
        let (_, mistakes) = self.instance(
            schema,
            [
                "subject": ["user": "request.size", "nick": #""x""#], "name": #""x""#,
                "action": ["properties": ["h": "request.headers", "u": "request.pth"], "path": ["a"]],
            ]
        )

        #expect(
            mistakes == [
                "params.action.path: is a list, not an expression",
                "params.action.properties[h]: is a STRING_MAP, which has no place in a Value; name one of its keys",
                "params.action.properties[u]: type error: column 1: unknown attribute `request.pth`; is `request.path` "
                    + "meant?; in: request.pth", "params.name: there are subject, action",
                "params.subject.nick: there are user, groups, properties",
                "params.subject.user: type error: column 1: the field needs STRING, `request.size` is INT64; in: "
                    + "request.size",
            ]
        )
    }

    @Test("A message that holds its own kind ends where the object ends, or at 32 levels")
    func recursion() throws {
        let schema = try self.template(
            [field("text", 1, .string), field("inner", 2, .message, ".t.InstanceMsg")]
        )
        func params(_ depth: Int) -> JSONValue {
            var object: JSONValue = ["text": #""x""#]
            for _ in 1..<depth { object = ["inner": object] }
            return object
        }

        #expect(self.instance(schema, params(32)).1.isEmpty)
        let mistakes = self.instance(schema, params(33)).1
        #expect(mistakes.count == 1)
        #expect(mistakes.first?.hasSuffix("stands more than 32 levels deep") == true)
        #expect(try self.bytes(schema, params(2)) == [0x12, 3, 0x0a, 1, 0x78] + Self.name)
    }
}
