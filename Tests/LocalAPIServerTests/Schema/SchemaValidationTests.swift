import KubernetesAPI
import LocalAPIServer
import Testing

@Suite struct SchemaValidationTests {
    private let schema = Schema(openAPI: [
        "type": "object",
        "properties": [
            "spec": [
                "type": "object", "required": ["hosts"],
                "properties": [
                    "hosts": ["type": "array", "minItems": 1, "items": ["type": "string", "pattern": "^[a-z.]+$"]],
                    "sniHosts": ["type": "array", "items": ["type": "string"]],
                    "weight": ["type": "integer", "minimum": 0, "maximum": 100],
                    "anything": ["type": "object", "x-kubernetes-preserve-unknown-fields": true],
                    "labels": ["type": "object", "additionalProperties": ["type": "string"]],
                    "port": ["x-kubernetes-int-or-string": true],
                    "match": [
                        "type": "object",
                        "properties": ["exact": ["type": "string"], "prefix": ["type": "string"]],
                        "oneOf": [["required": ["exact"]], ["required": ["prefix"]]],
                    ],
                ],
            ]
        ],
    ])

    private func fields(_ spec: JSONValue) -> [String] {
        let faults = self.schema.check(["spec": spec])
        return faults.causes.map(\.field) + faults.unknown
    }

    @Test("A good object has no faults")
    func good() {
        let spec: JSONValue = [
            "hosts": ["a.b"], "weight": 100, "anything": ["x": [1, .null]], "labels": ["a": "b"], "port": "http",
            "match": ["exact": "x"], "sni_hosts": ["c"],
        ]
        #expect(self.fields(spec).isEmpty)
    }

    private static let faulty: [(json: String, field: String)] = [
        (#"{}"#, "spec.hosts"), (#"{"hosts":[]}"#, "spec.hosts"), (#"{"hosts":"a"}"#, "spec.hosts"),
        (#"{"hosts":["a",1]}"#, "spec.hosts[1]"), (#"{"hosts":["A"]}"#, "spec.hosts[0]"),
        (#"{"hosts":["a"],"weight":101}"#, "spec.weight"), (#"{"hosts":["a"],"weight":-1}"#, "spec.weight"),
        (#"{"hosts":["a"],"weight":1.5}"#, "spec.weight"), (#"{"hosts":["a"],"labels":{"x":1}}"#, "spec.labels.x"),
        (#"{"hosts":["a"],"port":true}"#, "spec.port"), (#"{"hosts":["a"],"hots":[]}"#, "spec.hots"),
        (#"{"hosts":["a"],"match":{"exact":"a","prefix":"b"}}"#, "spec.match"),
    ]

    @Test("Each fault names its field", arguments: Self.faulty.indices)
    func faults(_ index: Int) throws {
        let (json, field) = Self.faulty[index]
        #expect(self.fields(try JSONValue.parse(json)) == [field], "\(json)")
    }

    @Test("Pruning drops what is not declared and nothing else")
    func pruning() {
        let pruned = self.schema.pruned(["spec": ["hosts": ["a"], "x": 1, "sni_hosts": ["b"]], "y": 2])
        #expect(pruned == ["spec": ["hosts": ["a"], "sni_hosts": ["b"]]])
    }

    @Test("Every built-in kind has a schema in which metadata is declared")
    func builtin() {
        let catalogue = BuiltinKinds.catalogue(preferredVersions: [:])
        #expect(catalogue.all.count > 15)
        #expect(catalogue.all.allSatisfy { $0.schema.properties["metadata"] != nil })
    }
}
