import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct ManifestReaderTests {
    private func object(_ attributes: JSONValue, name: String = "m") -> KubernetesObject {
        KubernetesObject(
            json: [
                "apiVersion": "config.istio.io/v1alpha2", "kind": "attributemanifest",
                "metadata": ["name": .string(name), "namespace": "istio-system"], "spec": ["attributes": attributes],
            ]
        )
    }

    @Test("Manifests add up to one vocabulary")
    func adds() {
        var reader = ManifestReader()

        reader.add(self.object(["a.b": ["valueType": "STRING"], "c": ["value_type": "INT64"]]))
        reader.add(self.object(["d": ["valueType": 11], "a.b": ["valueType": "STRING"]], name: "n"))

        #expect(reader.diagnoses.isEmpty)
        #expect(reader.vocabulary.attributes.map(\.name) == ["a.b", "c", "d"])
        #expect(reader.vocabulary.type(of: "d") == .stringMap)
    }

    @Test("A contradiction or an unknown type is a diagnosis with object and field, and the rest counts")
    func diagnoses() throws {
        var reader = ManifestReader()

        reader.add(self.object(["a": ["valueType": "STRING"], "b": ["valueType": "TEXT"], "c": [:]]))
        reader.add(self.object(["a": ["valueType": "BOOL"], "d": ["valueType": "BOOL"]], name: "n"))
        reader.add(self.object("x", name: "o"))

        #expect(reader.vocabulary.attributes.map(\.name) == ["a", "d"])
        #expect(
            reader.diagnoses.map { "\($0.object): \($0.field)" } == [
                "attributemanifest istio-system/m: spec.attributes[b].valueType",
                "attributemanifest istio-system/m: spec.attributes[c].valueType",
                "attributemanifest istio-system/n: spec.attributes[a].valueType",
                "attributemanifest istio-system/o: spec.attributes",
            ]
        )
    }
}
