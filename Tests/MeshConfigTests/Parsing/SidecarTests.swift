import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct SidecarTests {
    private func sidecar(_ spec: String, namespace: String = "shop") -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: Sidecar
        metadata: {name: default, namespace: \(namespace)}
        spec: \(spec)
        """
    }

    @Test("Imported hosts are read with their namespaces; `~` imports nothing")
    func hosts() throws {
        var mesh = try Mesh(
            self.sidecar(
                """
                {egress: [{hosts: ["./*", "*/*.outside.test", "bank/api.bank.svc.cluster.local", "~/*"]},
                 {port: {number: 3306, protocol: TCP, name: db}, hosts: ["data/*"]}]}
                """
            )
        )
        try mesh.apply(
            """
            apiVersion: v1
            kind: Service
            metadata: {name: api, namespace: bank}
            spec: {clusterIP: 10.214.0.9, ports: [{name: http, port: 80}]}
            """
        )

        let rules = try #require(mesh.snapshot.sidecars.first)
        let port = try #require(Port(3306))
        func host(_ text: String) throws -> HostName { try #require(HostName(text)) }
        #expect(
            rules.imports == [
                .init(namespace: .own, host: try host("*")), .init(namespace: .any, host: try host("*.outside.test")),
                .init(namespace: .named("bank"), host: try host("api.bank.svc.cluster.local")),
                .init(namespace: .named("data"), host: try host("*"), port: port),
            ]
        )
        #expect(rules.selector.isEmpty && rules.outboundPolicy == nil)
        #expect(mesh.errors() == [] && mesh.warnings() == [])
    }

    @Test("Without `egress` everything stays reachable, with nothing but `~/*` nothing is")
    func extremes() throws {
        let open = try Mesh(self.sidecar("{outboundTrafficPolicy: {mode: ALLOW_ANY}}")).snapshot.sidecars.first
        let closed = try Mesh(self.sidecar("{egress: [{hosts: [\"~/*\"]}]}")).snapshot.sidecars.first

        #expect(open?.imports == nil && open?.outboundPolicy == .allowAny)
        #expect(closed?.imports == [] && closed?.outboundPolicy == nil)
    }

    @Test(
        "A mistake is named with its place and value",
        arguments: [
            ("{egress: [{hosts: [\"reviews\"]}]}", "spec.egress[0].hosts[0]", "NAMESPACE/HOST"),
            ("{egress: [{hosts: [\"./a..b\"]}]}", "spec.egress[0].hosts[0]", "a..b"),
            ("{egress: [{hosts: [\"a.b/*\"]}]}", "spec.egress[0].hosts[0]", "a.b"),
            ("{egress: [{hosts: []}]}", "spec.egress[0].hosts", "at least one"),
            ("{egress: [{port: {number: 70000}, hosts: [\"./*\"]}]}", "spec.egress[0].port.number", "70000"),
        ]
    )
    func mistakes(_ spec: String, _ field: String, _ words: String) throws {
        let mesh = try Mesh(self.sidecar(spec))

        #expect(mesh.errors().count == 1)
        #expect(mesh.errors().first?.hasPrefix(field) == true && mesh.errors().first?.contains(words) == true)
        // Less may be reached than was meant, never more.
        #expect(mesh.snapshot.sidecars.first?.imports == [])
    }

    @Test("Ports that connections come in by are read, with the place of the application behind each")
    func entrances() throws {
        let mesh = try Mesh(
            self.sidecar(
                """
                {ingress: [
                  {port: {number: 80, protocol: HTTP, name: http}, defaultEndpoint: "127.0.0.1:8080"},
                  {port: {number: 81, protocol: tcp, name: a}, defaultEndpoint: "[::1]:8081"},
                  {port: {number: 82, protocol: GRPC, name: b}, defaultEndpoint: "0.0.0.0:8082"},
                  {port: {number: 83, protocol: TLS, name: c}}]}
                """
            )
        )
        func port(_ number: Int) throws -> Port { try #require(Port(number)) }

        #expect(mesh.errors() == [] && mesh.warnings() == [])
        let expected: [SidecarRules.Entrance] = [
            .init(port: try port(80), applicationProtocol: .http, target: .loopback(try port(8080), isIPv6: false)),
            .init(port: try port(81), applicationProtocol: .tcp, target: .loopback(try port(8081), isIPv6: true)),
            .init(port: try port(82), applicationProtocol: .grpc, target: .workload(try port(8082))),
            .init(port: try port(83), applicationProtocol: .tls),
        ]
        #expect(mesh.snapshot.sidecars.first?.entrances == expected)
    }

    @Test(
        "A wrong port, protocol or place is named, and leaves out that port alone",
        arguments: [
            ("{port: {number: 0, protocol: HTTP}}", "spec.ingress[1].port.number"),
            ("{port: {number: 80, protocol: HTTP}}", "spec.ingress[1].port.number"),
            ("{port: {number: 81, protocol: X}}", "spec.ingress[1].port.protocol"),
            (
                "{port: {number: 81, protocol: TCP}, defaultEndpoint: \"10.0.0.1:80\"}",
                "spec.ingress[1].defaultEndpoint"
            ),
            ("{port: {number: 81, protocol: TCP}, defaultEndpoint: \"unix:///a\"}", "spec.ingress[1].defaultEndpoint"),
            ("{port: {number: 81, protocol: TCP}, defaultEndpoint: \"127.0.0.1:\"}", "spec.ingress[1].defaultEndpoint"),
        ]
    )
    func wrongEntrances(_ item: String, _ field: String) throws {
        let mesh = try Mesh(self.sidecar("{ingress: [{port: {number: 80, protocol: HTTP}}, \(item)]}"))

        #expect(mesh.errors().count == 1 && mesh.errors()[0].hasPrefix(field))
        let port = try #require(Port(80))
        #expect(mesh.snapshot.sidecars.first?.entrances.map(\.port) == [port])
    }

    @Test("What is not supported is said")
    func unsupported() throws {
        let mesh = try Mesh(
            self.sidecar(
                """
                {ingress: [{port: {number: 80, protocol: HTTP, name: http}, bind: 10.0.0.1}],
                 inboundConnectionPool: {}, egress: [{bind: 127.0.0.1, captureMode: NONE, port: {number: 80}, hosts: ["./*"]}],
                 outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a.b}}}
                """
            )
        )

        let fields = mesh.warnings().compactMap { $0.split(separator: ":").first.map(String.init) }
        #expect(
            fields == [
                "spec.egress[0].bind", "spec.egress[0].captureMode", "spec.inboundConnectionPool",
                "spec.ingress[0].bind", "spec.outboundTrafficPolicy.egressProxy",
            ]
        )
    }

    @Test("The Sidecar that selects the workload comes first, then the namespace's, then the root namespace's")
    func choice() throws {
        var mesh = try Mesh(self.sidecar("{egress: [{hosts: [\"./*\"]}]}", namespace: "istio-system"))
        try mesh.apply(self.sidecar("{egress: [{hosts: [\"*/*\"]}]}"))
        try mesh.apply(
            """
            apiVersion: networking.istio.io/v1
            kind: Sidecar
            metadata: {name: web, namespace: shop}
            spec: {workloadSelector: {labels: {app: web}}, egress: [{hosts: ["~/*"]}]}
            """
        )
        func name(_ namespace: String, _ labels: [String: String], _ role: ProxyKey.Role = .sidecar) -> String? {
            let proxy = ProxyKey(
                role: role,
                address: .v4(1),
                workload: ObjectID(namespace: namespace, name: "p"),
                dnsDomain: "\(namespace).svc.cluster.local",
                labels: labels
            )
            return mesh.snapshot.sidecar(for: proxy)?.source.id.description
        }

        #expect(name("shop", ["app": "web", "version": "v1"]) == "shop/web")
        #expect(name("shop", ["app": "other"]) == "shop/default")
        #expect(name("bank", ["app": "web"]) == "istio-system/default")
        #expect(name("shop", ["app": "web"], .router) == nil)
    }

    @Test("An import of what is not there, and a second Sidecar for a whole namespace, are pointed out")
    func checks() throws {
        var mesh = try Mesh(self.sidecar("{egress: [{hosts: [\"./gone.shop.svc.cluster.local\", \"./*\"]}]}"))
        #expect(mesh.warnings().count == 1 && mesh.warnings()[0].contains("gone.shop.svc.cluster.local"))

        try mesh.apply(
            """
            apiVersion: v1
            kind: Service
            metadata: {name: gone, namespace: shop}
            spec: {clusterIP: 10.214.0.9, ports: [{name: http, port: 80}]}
            """
        )
        #expect(mesh.warnings() == [])

        try mesh.apply(self.sidecar("{}").replacing("name: default", with: "name: second"))
        #expect(mesh.warnings().count == 1 && mesh.warnings()[0].hasPrefix("spec.workloadSelector"))
    }

    @Test("A typing error does not open what was closed")
    func lastGood() throws {
        var mesh = try Mesh(self.sidecar("{egress: [{hosts: [\"~/*\"]}]}"))
        try mesh.apply(self.sidecar("{egress: nonsense}"))

        #expect(mesh.snapshot.sidecars.first?.imports == [])
        #expect(mesh.errors().count == 1)
        #expect(mesh.delete(.sidecar, "default", namespace: "shop") == .full)
        #expect(mesh.snapshot.sidecars.isEmpty)
    }
}
