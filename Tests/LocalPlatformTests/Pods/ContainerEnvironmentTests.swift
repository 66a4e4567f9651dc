import Foundation
import KubernetesAPI
import LocalPlatform
import Testing

@Suite struct ContainerEnvironmentTests {
    private func environment(_ container: JSONValue) throws -> [String: String] {
        let pod = KubernetesObject(json: [
            "metadata": ["name": "web-1", "namespace": "shop", "uid": "u1", "labels": ["app": "web"]],
            "spec": ["serviceAccountName": "clerk"],
        ])
        let builder = ContainerEnvironment(
            downward: DownwardAPI(pod: pod, podAddress: "10.213.1.5", hostAddress: "10.213.0.1", nodeName: "lateen"),
            configMap: { name in name == "settings" ? KubernetesObject(json: ["data": ["colour": "red"]]) : nil },
            secret: { name in name == "key" ? KubernetesObject(json: ["data": ["word": "c2VzYW1l"]]) : nil }
        )
        var catalogue = ImageCatalogue()
        try catalogue.add(
            text: "images: [{name: web, env: {FROM_IMAGE: a, BOTH: image}}]",
            file: "images.yaml",
            base: .init(fileURLWithPath: "/")
        )
        let image = try #require(catalogue.image("web"))
        return try builder.variables(of: container.decode(), image: image, standard: ["HOME": "/root"])
    }

    @Test("Variables come from the image, fields, maps and secrets; later ones see earlier ones")
    func allSources() throws {
        let variables = try self.environment([
            "name": "c", "image": "web", "envFrom": [["configMapRef": ["name": "settings"], "prefix": "X_"]],
            "env": [
                ["name": "BOTH", "value": "spec"],
                ["name": "POD", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
                ["name": "IP", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]]],
                ["name": "APP", "valueFrom": ["fieldRef": ["fieldPath": "metadata.labels['app']"]]],
                ["name": "WORD", "valueFrom": ["secretKeyRef": ["name": "key", "key": "word"]]],
                ["name": "LINE", "value": "$(POD)/$(WORD)/$(UNKNOWN)"],
            ],
        ])

        #expect(
            variables == [
                "HOME": "/root", "FROM_IMAGE": "a", "BOTH": "spec", "X_colour": "red", "POD": "web-1",
                "IP": "10.213.1.5", "APP": "web", "WORD": "sesame", "LINE": "web-1/sesame/$(UNKNOWN)",
            ]
        )
    }

    @Test("A secret that is not there holds the container up, unless it is optional")
    func missing() throws {
        func reference(_ optional: Bool) -> JSONValue {
            [
                "name": "c", "image": "web",
                "env": [
                    [
                        "name": "A",
                        "valueFrom": ["secretKeyRef": ["name": "none", "key": "k", "optional": .bool(optional)]],
                    ]
                ],
            ]
        }

        #expect(throws: ContainerConfigError(message: "secret \"none\" not found")) {
            try self.environment(reference(false))
        }
        #expect(try self.environment(reference(true))["A"] == nil)
    }
}
