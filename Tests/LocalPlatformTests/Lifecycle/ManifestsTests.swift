import Foundation
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

    @Test("The manifests that come along are read; gateways are kept apart from what they need")
    func deploy() throws {
        let (gateways, control) = try Manifests(paths: [Self.deploy]).separating(file: "gateways.yaml")

        func deployments(_ manifests: Manifests) -> [String] {
            manifests.entries.filter { $0.object.kind == "Deployment" }.map { "\($0.object.key)" }
        }
        #expect(deployments(control) == ["istio-system/istiod"])
        #expect(deployments(gateways) == ["istio-system/istio-ingressgateway", "istio-system/istio-egressgateway"])
        // `kubectl apply -f deploy/` takes the files by name: gateways come before what makes their namespace.
        #expect(gateways.entries.first?.object.kind == "Namespace")
    }

    @Test("Doors are printed with the scheme of their port and the page of their name, or of an annotation")
    func doors() throws {
        let ingress = try Manifests(paths: ["\(Self.deploy)/one-machine/ingress-door.yaml"])
        let page = try Manifests(paths: ["\(Self.samples)/bookinfo/platform/one-machine/10-productpage-door.yaml"])

        #expect(ingress.doors == ["http://127.0.0.1:31080/", "https://127.0.0.1:31443/"])
        #expect(page.doors == ["http://127.0.0.1:30080/productpage"])
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    private static let deploy = "\(root)/deploy"
    private static let samples = "\(root)/Samples"
}
