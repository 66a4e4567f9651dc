import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct PeerPolicyTests {
    private func policies(_ spec: String) throws -> [PeerPolicy] {
        let mesh = try Mesh(Samples.security("PeerAuthentication", spec))
        #expect(mesh.errors() == [])
        return mesh.snapshot.peerPolicies
    }

    @Test(
        "Every mode is read; UNSET leaves the choice to the wider policy",
        arguments: [
            ("{}", MutualTLSMode?.none), ("{mtls: {mode: UNSET}}", nil), ("{mtls: {mode: DISABLE}}", .disable),
            ("{mtls: {mode: PERMISSIVE}}", .permissive), ("{mtls: {mode: STRICT}}", .strict),
        ]
    )
    func modes(_ spec: String, _ mode: MutualTLSMode?) throws {
        #expect(try self.policies(spec).map(\.mode) == [mode])
    }

    @Test("Ports of selected workloads are read")
    func ports() throws {
        let policy = try #require(
            try self.policies(
                """
                {selector: {matchLabels: {app: a}}, mtls: {mode: STRICT},
                 portLevelMtls: {"8080": {mode: DISABLE}, "81": {mode: UNSET}}}
                """
            ).first
        )
        #expect(policy.selector == ["app": "a"] && policy.mode == .strict)
        #expect(policy.ports == [try #require(Port(8080)): .disable])
        #expect(policy.source.kind == "PeerAuthentication")
    }

    @Test("A wrong port is left out; the policy stays, so that nothing is opened by it")
    func mistakes() throws {
        let selected = try Mesh(
            Samples.security(
                "PeerAuthentication",
                #"{selector: {matchLabels: {a: b}}, mtls: {mode: STRICT}, portLevelMtls: {"70000": {mode: DISABLE}}}"#
            )
        )
        #expect(selected.errors() == ["spec.portLevelMtls.70000: 70000 is no port: 1 to 65535"])
        #expect(selected.snapshot.peerPolicies.map(\.mode) == [.strict])

        let everybody = try Mesh(
            Samples.security(
                "PeerAuthentication",
                #"{mtls: {mode: STRICT}, portLevelMtls: {"80": {mode: DISABLE}}}"#
            )
        )
        #expect(everybody.errors().first?.hasPrefix("spec.portLevelMtls: needs a selector") == true)
        #expect(everybody.snapshot.peerPolicies.map(\.ports) == [[:]])
        #expect(everybody.snapshot.peerPolicies.map(\.mode) == [.strict])
    }

    @Test("A typing error keeps the last good policy in force")
    func keepsLastGood() throws {
        var mesh = try Mesh(Samples.security("PeerAuthentication", "{mtls: {mode: STRICT}}"))
        try mesh.apply(Samples.security("PeerAuthentication", "{mtls: {mode: STRIKT}}"))
        #expect(mesh.snapshot.peerPolicies.map(\.mode) == [.strict])
        #expect(mesh.errors().first?.hasPrefix("spec: cannot be read") == true)

        try mesh.apply(Samples.security("PeerAuthentication", "{mtls: {mode: DISABLE}}"))
        #expect(mesh.snapshot.peerPolicies.map(\.mode) == [.disable])
        #expect(mesh.delete(.peerAuthentication, "s") == .full)
        #expect(mesh.snapshot.peerPolicies == [])
    }
}

@Suite struct LegacyPolicyTests {
    /// What a policy with these `peers` says of the whole namespace.
    private func mode(_ spec: String) throws -> MutualTLSMode? {
        let mesh = try Mesh(Samples.legacy(spec))
        #expect(mesh.errors() == [])
        return mesh.snapshot.peerPolicies.first?.mode
    }

    @Test(
        "Peers become modes; none at all is plain text",
        arguments: [
            ("{peers: [{mtls: {}}]}", MutualTLSMode.strict), ("{peers: [{mtls: }]}", .strict),
            ("{peers: [{mtls: {mode: STRICT}}]}", .strict), ("{peers: [{mtls: {mode: PERMISSIVE}}]}", .permissive),
            ("{peers: [{mtls: {allowTls: true}}]}", .permissive),
            ("{peers: [{mtls: {}}], peerIsOptional: true}", .permissive), ("{}", .disable), ("{peers: []}", .disable),
        ]
    )
    func peers(_ spec: String, _ mode: MutualTLSMode) throws {
        #expect(try self.mode(spec) == mode)
    }

    @Test("A MeshPolicy holds for the mesh")
    func meshPolicy() throws {
        let mesh = try Mesh(
            """
            apiVersion: authentication.istio.io/v1alpha1
            kind: MeshPolicy
            metadata: {name: default}
            spec: {peers: [{mtls: {}}]}
            """
        )
        #expect(mesh.snapshot.diagnoses == [])
        let policy = try #require(mesh.snapshot.peerPolicies.first)
        #expect(
            policy.source == ObjectReference(kind: "MeshPolicy", id: .init(namespace: "istio-system", name: "default"))
        )
        #expect(policy.selector == [:] && policy.mode == .strict)
    }

    @Test("A target becomes the selector of its service, a port those that the endpoints listen on")
    func targets() throws {
        let service = Samples.ratings.replacing("port: 9080, targetPort: 9080", with: "port: 80, targetPort: http")
        let mesh = try Mesh(
            [
                service,
                Samples.legacy("{targets: [{name: ratings, ports: [{number: 80}]}], peers: [{mtls: {}}]}", name: "p"),
                Samples.legacy("{targets: [{name: ratings}]}", name: "w"),
            ].joined(separator: "\n---\n")
        )
        #expect(mesh.snapshot.diagnoses == [])
        let (byPort, whole) = (mesh.snapshot.peerPolicies.first, mesh.snapshot.peerPolicies.last)
        #expect(byPort?.selector == ["app": "ratings"] && byPort?.mode == nil)
        #expect(byPort?.ports == [try #require(Port(9080)): .strict])
        #expect(whole?.selector == ["app": "ratings"] && whole?.mode == .disable && whole?.ports == [:])
    }

    @Test("All targets of a policy count, also where they are services of the same pods")
    func severalTargets() throws {
        func service(_ name: String, _ port: Int) -> String {
            """
            apiVersion: v1
            kind: Service
            metadata: {name: \(name), namespace: default}
            spec: {clusterIP: 10.214.0.\(port), selector: {app: ratings}, ports: [{name: http, port: \(port)}]}
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: \(name)-1, namespace: default, labels: {kubernetes.io/service-name: \(name)}}
            addressType: IPv4
            ports: [{name: http, port: \(port)}]
            endpoints: [{addresses: [10.213.1.5], conditions: {ready: true}}]
            """
        }
        let targets = "[{name: a, ports: [{number: 80}]}, {name: b, ports: [{number: 90}]}]"
        let mesh = try Mesh(
            [service("a", 80), service("b", 90), Samples.legacy("{targets: \(targets), peers: [{mtls: {}}]}")]
                .joined(separator: "\n---\n")
        )

        let modes = PeerModes(
            mesh.snapshot.peerPolicies,
            namespace: "default",
            labels: ["app": "ratings"],
            root: "istio-system"
        )

        let (a, b) = (try #require(Port(80)), try #require(Port(90)))
        #expect(modes.ports == [a: .strict, b: .strict], "\(mesh.snapshot.diagnoses)")
    }

    @Test("Where the ports of endpoints change, policies for ports are made again")
    func portsMove() throws {
        var mesh = try Mesh(
            Samples.ratings + "\n---\n"
                + Samples.legacy("{targets: [{name: ratings, ports: [{name: http}]}]}", name: "p")
        )
        let changes = try mesh.apply(
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: ratings-1, namespace: default, labels: {kubernetes.io/service-name: ratings}}
            addressType: IPv4
            ports: [{name: http, port: 9081}]
            endpoints: [{addresses: [10.213.1.5], conditions: {ready: true}}]
            """
        )
        #expect(changes == [.full])
        #expect(mesh.snapshot.peerPolicies.first?.ports == [try #require(Port(9081)): .disable])
    }

    @Test("Origins become tokens, asked for unless they are optional")
    func origins() throws {
        let jwt =
            "{issuer: i.test, audiences: [a], jwksUri: 'https://i.test/keys', jwtHeaders: [X-Token], jwtParams: [t]}"
        for (isOptional, isRequired) in [("false", true), ("true", false)] {
            let mesh = try Mesh(
                Samples.legacy("{peers: [{mtls: {}}], origins: [{jwt: \(jwt)}], originIsOptional: \(isOptional)}")
            )
            #expect(mesh.errors() == [])
            let rules = try #require(mesh.snapshot.requestAuthentications.first)
            #expect(rules.isRequired == isRequired && rules.source.kind == "Policy")
            let issuer = try #require(rules.issuers.first)
            #expect(issuer.issuer == "i.test" && issuer.audiences == ["a"] && issuer.keysURI == "https://i.test/keys")
            #expect(issuer.fromHeaders == [.init(name: "x-token")] && issuer.fromParameters == ["t"])
        }
    }

    @Test(
        "Each mistake is named with its path",
        arguments: [
            ("{targets: [{}]}", "spec.targets[0].name: is needed"),
            ("{targets: [{name: a.b}]}", "spec.targets[0].name: `a.b` is no short name"),
            ("{targets: [{name: a, labels: {x: y}}]}", "spec.targets[0].labels: is not supported"),
            ("{targets: [{name: a, ports: [{}]}]}", "spec.targets[0].ports[0]: needs a number or a name"),
            ("{targets: [{name: a, ports: [{number: 70000}]}]}", "spec.targets[0].ports[0].number: 70000 is no port"),
            ("{peers: [{}]}", "spec.peers[0]: needs a method"),
            ("{peers: [{jwt: {}}]}", "spec.peers[0].jwt: is not supported"),
            ("{origins: [{jwt: {}}]}", "spec.origins[0].jwt.issuer: is needed"),
            ("{origins: [{jwt: {issuer: a}}]}", "spec.origins[0].jwt.jwksUri: is needed"),
        ]
    )
    func mistakes(_ spec: String, _ expected: String) throws {
        let mesh = try Mesh(Samples.legacy(spec))
        #expect(mesh.errors().contains { $0.hasPrefix(expected) }, "\(mesh.errors())")
        #expect(mesh.snapshot.peerPolicies == [] && mesh.snapshot.requestAuthentications == [])
    }

    @Test("A policy for a whole namespace has one name; targets must be there")
    func scopes() throws {
        #expect(
            try Mesh(Samples.legacy("{}", name: "x")).errors().first?.hasPrefix("metadata.name: `x` is not") == true
        )
        let missing = try Mesh(Samples.legacy("{targets: [{name: nobody}]}"))
        #expect(missing.warnings() == ["spec.targets[0].name: there is no Service default/nobody"])
        let port = try Mesh(
            Samples.ratings + "\n---\n" + Samples.legacy("{targets: [{name: ratings, ports: [{number: 1}]}]}")
        )
        #expect(port.warnings() == ["spec.targets[0].ports[0]: Service default/ratings has no such port"])
        let binding = try Mesh(Samples.legacy("{principalBinding: USE_ORIGIN}"))
        #expect(binding.warnings().first?.hasPrefix("spec.principalBinding: USE_ORIGIN is not supported") == true)
        let root = try Mesh(Samples.legacy("{}", namespace: "istio-system"))
        #expect(root.warnings().first?.contains("holds for the whole mesh") == true)
    }
}
