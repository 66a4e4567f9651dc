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

    /// Attributes that are known because of manifests.
    private func own(_ reader: ManifestReader) -> [String] {
        reader.vocabulary.attributes.map(\.name).filter { AttributeVocabulary.standard.slot(of: $0) == nil }
    }

    @Test("Manifests add up to one vocabulary, with what proxies send")
    func adds() {
        var reader = ManifestReader()

        reader.add(self.object(["a.b": ["valueType": "STRING"], "c": ["value_type": "INT64"]]))
        reader.add(self.object(["d": ["valueType": 11], "a.b": ["valueType": "STRING"]], name: "n"))

        #expect(reader.diagnoses.isEmpty)
        #expect(self.own(reader) == ["a.b", "c", "d"])
        #expect(reader.vocabulary.attributes.count == AttributeVocabulary.standard.attributes.count + 3)
        #expect(reader.vocabulary.type(of: "d") == .stringMap)
    }

    @Test("A contradiction or an unknown type is a diagnosis with object and field, and the rest counts")
    func diagnoses() throws {
        var reader = ManifestReader()

        reader.add(self.object(["a": ["valueType": "STRING"], "b": ["valueType": "TEXT"], "c": [:]]))
        reader.add(self.object(["a": ["valueType": "BOOL"], "d": ["valueType": "BOOL"]], name: "n"))
        reader.add(self.object("x", name: "o"))

        #expect(self.own(reader) == ["a", "d"])
        #expect(
            reader.diagnoses.map { "\($0.object): \($0.field)" } == [
                "attributemanifest istio-system/m: spec.attributes[b].valueType",
                "attributemanifest istio-system/m: spec.attributes[c].valueType",
                "attributemanifest istio-system/n: spec.attributes[a].valueType",
                "attributemanifest istio-system/o: spec.attributes",
            ]
        )
    }

    @Test("What proxies send may be named again, and keeps its type")
    func standard() {
        var reader = ManifestReader()

        reader.add(
            self.object(["request.path": ["valueType": "STRING"], "source.ip": ["valueType": "STRING"]])
        )

        #expect(reader.vocabulary.type(of: "source.ip") == .ipAddress)
        #expect(reader.diagnoses.map(\.field) == ["spec.attributes[source.ip].valueType"])
        #expect(reader.diagnoses.map(\.cause) == [.object])
    }
}
