import KubernetesAPI
import LocalAPIServer
import Testing

@Suite struct StrategicMergeTests {
    private let schema: Schema = {
        var text = SchemaText(BuiltinSchemas.text)
        return text.type("PodSpec")
    }()

    private func merged(_ value: JSONValue, _ patch: JSONValue) throws -> JSONValue {
        try StrategicMerge.apply(patch, to: value, schema: self.schema)
    }

    @Test("Containers are merged by name, their environment too")
    func mergesByName() throws {
        let result = try self.merged(
            ["containers": [["name": "a", "image": "1", "env": [["name": "X", "value": "1"]]], ["name": "b"]]],
            ["containers": [["name": "a", "env": [["name": "Y", "value": "2"]]], ["name": "c"]]]
        )
        #expect(
            result == [
                "containers": [
                    [
                        "name": "a", "image": "1",
                        "env": [["name": "X", "value": "1"], ["name": "Y", "value": "2"]],
                    ], ["name": "b"], ["name": "c"],
                ]
            ]
        )
    }

    @Test("Directives delete an element and replace a list; null removes a field")
    func directives() throws {
        let pod: JSONValue = ["nodeName": "n", "containers": [["name": "a"], ["name": "b"]]]
        #expect(
            try self.merged(pod, ["containers": [["name": "a", "$patch": "delete"]], "nodeName": .null])
                == ["containers": [["name": "b"]]]
        )
        #expect(
            try self.merged(pod, ["containers": [["name": "z"], ["$patch": "replace"]]])["containers"]
                == [["name": "z"]]
        )
    }

    @Test("The order that kubectl sends along is not stored")
    func orderDirective() throws {
        let result = try self.merged(
            ["containers": [["name": "a"]]],
            ["$setElementOrder/containers": [["name": "a"]], "containers": [["name": "a", "image": "2"]]]
        )
        #expect(result == ["containers": [["name": "a", "image": "2"]]])
    }

    @Test("Lists without a key are replaced")
    func replacesOthers() throws {
        let result = try self.merged(
            ["containers": [["name": "a", "args": ["1", "2"]]]],
            ["containers": [["name": "a", "args": ["3"]]]]
        )
        #expect(result["containers"]?[0]?["args"] == ["3"])
    }

    @Test("An element without its key is refused")
    func refusesKeyless() {
        #expect(throws: APIFailure.self) {
            try self.merged(["containers": [["name": "a"]]], ["containers": [["image": "x"]]])
        }
    }
}
