import KubernetesAPI
import SidecarInjection
import Testing

@Suite struct ManifestInjectorTests {
    private let injector = ManifestInjector(SidecarInjector())

    private static let service = """
        # The service keeps its comment
        apiVersion: v1
        kind: Service
        metadata: {name: sleep}

        """

    private static let deployment = """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: sleep
        spec:
          template:
            metadata:
              labels: {app: sleep}
            spec:
              containers:
              - name: sleep
                image: lateen/curl

        """

    @Test("Templates get sidecars, other documents come out as they went in")
    func documents() throws {
        let output = try self.injector.inject(Self.service + "---\n" + Self.deployment)

        #expect(output.hasPrefix(Self.service + "---\n"))
        let documents = try YAML.documents(output)
        #expect(documents.count == 2)
        let template = documents[1].value[path: "spec", "template"]
        #expect(template?[path: "spec", "containers"]?[1]?["name"] == "istio-proxy")
        #expect(template?[path: "metadata", "labels", "service.istio.io/canonical-name"] == "sleep")
    }

    @Test("What is injected already, or wants none, is not touched")
    func untouched() throws {
        let once = try self.injector.inject(Self.deployment)
        #expect(try self.injector.inject(once) == once)

        let refusing = Self.deployment.replacing(
            "labels: {app: sleep}",
            with: "annotations: {sidecar.istio.io/inject: 'false'}"
        )
        #expect(try self.injector.inject(refusing) == refusing)
    }

    @Test("A mistake is named with file and line")
    func mistake() {
        let text = Self.service + "---\na: [1\nb: }\n"

        let error = #expect(throws: ManifestInjector.Mistake.self) { try self.injector.inject(text, file: "x.yaml") }

        #expect(error?.description.hasPrefix("x.yaml:") == true)
    }
}
