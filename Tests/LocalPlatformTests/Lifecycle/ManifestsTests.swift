import KubernetesAPI
import LocalPlatform
import Testing

@Suite struct ManifestsTests {
    @Test("Documents and lists become objects of known types, in namespace default unless they say another")
    func reads() throws {
        let text = """
            kind: Service
            apiVersion: v1
            metadata: {name: web-door}
            spec: {ports: [{port: 80, nodePort: 30080}]}
            ---
            kind: List
            apiVersion: v1
            items:
            - {kind: Namespace, apiVersion: v1, metadata: {name: shop}}
            - {kind: ConfigMap, apiVersion: v1, metadata: {name: a, namespace: shop}}
            """
        let entries = try Manifests.entries(text: text, file: "a.yaml")

        #expect(entries.map { "\($0.object.key)" } == ["default/web-door", "shop", "shop/a"])
    }

    @Test("An unknown kind is named with its file and line")
    func unknown() {
        let error = #expect(throws: PlatformError.self) {
            try Manifests.entries(text: "kind: Shop\napiVersion: v1\nmetadata: {name: a}", file: "a.yaml")
        }

        #expect(error?.message == "a.yaml:1: unknown kind Shop of apiVersion v1")
    }
}
