import KubernetesAPI
import Testing

@Suite struct JSONPatchTests {
    @Test("A merge patch replaces, adds and removes members, and replaces lists as a whole")
    func merges() {
        let document: JSONValue = ["a": "b", "c": ["d": "e", "f": "g"], "l": [1, 2]]
        let patch: JSONValue = ["a": "z", "c": ["f": .null, "n": ["x": .null]], "l": [3]]
        #expect(document.applyingMergePatch(patch) == ["a": "z", "c": ["d": "e", "n": [:]], "l": [3]])
        #expect(document.applyingMergePatch("x") == "x")
        #expect(JSONValue.array([1]).applyingMergePatch(["a": 1]) == ["a": 1])
    }

    @Test("Each operation of a JSON patch does what RFC 6902 says")
    func operations() throws {
        let document: JSONValue = ["list": ["a", "b"], "x/y": ["~": 1]]
        let patch: JSONValue = [
            ["op": "test", "path": "/x~1y/~0", "value": 1],
            ["op": "add", "path": "/list/1", "value": "between"],
            ["op": "add", "path": "/list/-", "value": "end"],
            ["op": "replace", "path": "/list/0", "value": "A"],
            ["op": "copy", "from": "/list/0", "path": "/first"],
            ["op": "move", "from": "/x~1y", "path": "/moved"],
            ["op": "remove", "path": "/list/2"],
        ]
        #expect(
            try document.applyingJSONPatch(patch)
                == ["list": ["A", "between", "end"], "first": "A", "moved": ["~": 1]]
        )
    }

    @Test(
        "Operations that cannot be done are refused",
        arguments: [
            ["op": "add", "path": "/list/3", "value": 1], ["op": "add", "path": "/no/x", "value": 1],
            ["op": "remove", "path": "/no"], ["op": "replace", "path": "/no", "value": 1],
            ["op": "move", "from": "/o", "path": "/o/p"], ["op": "copy", "from": "/no", "path": "/x"],
            ["op": "dance", "path": "/o"], ["op": "add", "path": "/o"], ["op": "add", "path": "o", "value": 1],
            ["op": "remove", "path": ""],
        ] as [JSONValue]
    )
    func refuses(_ operation: JSONValue) {
        let document: JSONValue = ["list": [1, 2], "o": ["p": 1]]
        #expect(throws: JSONPatchError.self) { try document.applyingJSONPatch([operation]) }
    }

    @Test("A failed test is told apart from a malformed patch")
    func failedTest() {
        let patch: JSONValue = [["op": "test", "path": "/a", "value": 2]]
        let error = #expect(throws: JSONPatchError.self) { try JSONValue.object(["a": 1]).applyingJSONPatch(patch) }
        #expect(error?.isFailedTest == true)
    }

    @Test(
        "The difference of two documents turns one into the other",
        arguments: [
            ([:], ["a": 1]), (["a": 1], [:]), (["a": [1, 2, 3]], ["a": [1, 4]]), (["a": [1]], ["a": [1, 2, ["b": 3]]]),
            (["a/b": ["~c": 1]], ["a/b": ["~c": 2]]), ([1], ["a": 1]), (["a": .null], ["a": ["x": []]]), (1, 1),
        ] as [(JSONValue, JSONValue)]
    )
    func difference(_ old: JSONValue, _ new: JSONValue) throws {
        let patch = JSONPatch.difference(from: old, to: new)
        #expect(try patch.apply(to: old) == new)
        #expect(try JSONPatch(json: patch.json) == patch)
        #expect((old == new) == patch.operations.isEmpty)
    }
}
