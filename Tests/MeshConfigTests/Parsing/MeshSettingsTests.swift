import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct MeshSettingsTests {
    @Test("Without settings only what the registry knows may be reached")
    func defaults() throws {
        #expect(try Mesh().snapshot.settings == MeshSettings())
        #expect(try Mesh(Samples.settings("{}")).snapshot.settings.outboundPolicy == .registryOnly)
    }

    @Test("Settings are read, unknown ones ignored")
    func reads() throws {
        let mesh = try Mesh(
            Samples.settings(
                """
                {outboundTrafficPolicy: {mode: ALLOW_ANY}, accessLogFile: "", accessLogFormat: "x", connectTimeout: 3s,
                     protocolDetectionTimeout: 100ms, rootNamespace: root, somethingNew: {a: 1}}
                """
            )
        )
        let settings = mesh.snapshot.settings
        #expect(settings.outboundPolicy == .allowAny)
        #expect(settings.accessLogFile == "")
        #expect(settings.accessLogFormat == "x")
        #expect(settings.connectTimeout == .seconds(3))
        #expect(settings.protocolDetectionTimeout == .milliseconds(100))
        #expect(settings.rootNamespace == "root")
        #expect(mesh.errors() == [])
    }

    @Test("Settings that cannot be read keep the last good ones; deleted settings are the defaults")
    func keepsLastGood() throws {
        var mesh = try Mesh(Samples.settings("{outboundTrafficPolicy: {mode: ALLOW_ANY}}"))

        try mesh.apply(Samples.settings("outboundTrafficPolicy: ["))
        #expect(mesh.snapshot.settings.outboundPolicy == .allowAny)
        #expect(mesh.errors().first?.hasPrefix("data.mesh: cannot be read") == true)

        #expect(mesh.delete(.configMap, "istio", namespace: "istio-system") == .full)
        #expect(mesh.snapshot.settings.outboundPolicy == .registryOnly)
        #expect(mesh.errors() == [])
    }

    @Test("Other ConfigMaps are nobody's settings")
    func others() throws {
        var mesh = try Mesh()
        let changes = try mesh.apply(
            "{kind: ConfigMap, metadata: {name: istio, namespace: default}, data: {mesh: \"outboundTrafficPolicy: {mode: ALLOW_ANY}\"}}"
        )
        #expect(changes == [.nothing])
        #expect(mesh.snapshot.settings.outboundPolicy == .registryOnly)
    }
}
