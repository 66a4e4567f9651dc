import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct ServiceEntryTests {
    @Test("The reference's entry is a service at its address, reached where the application dials")
    func mysqlExternal() throws {
        let mesh = try Mesh(Samples.mysqlExternal)

        let service = try #require(mesh.snapshot.services.first)
        #expect(service.host.text == "mysqldb.outside.test")
        #expect(service.addresses == [try #require(CIDR("10.215.0.10/32"))])
        #expect(service.ports.map(\.applicationProtocol) == [.tcp])
        #expect(service.ports.map(\.port.number) == [3306])
        #expect(service.resolution == .originalDestination)
        #expect(service.isExternal)
        #expect(service.visibility == .everyone)
        #expect(mesh.endpoints("mysqldb.outside.test") == [])
        #expect(mesh.snapshot.diagnoses == [])
    }

    @Test(
        "Protocols are read in any case",
        arguments: [
            ("TCP", .tcp), ("tcp", .tcp), ("MONGO", .mongo), ("Http", .http), ("HTTPS", .https), ("tls", .tls),
            ("GRPC", .grpc), ("HTTP2", .http2),
        ] as [(String, ApplicationProtocol)]
    )
    func protocols(_ word: String, _ expected: ApplicationProtocol) throws {
        let mesh = try Mesh(Samples.entry("{hosts: [a.test], ports: [{number: 1, name: p, protocol: \(word)}]}"))
        #expect(mesh.snapshot.services.first?.ports.first?.applicationProtocol == expected)
    }

    @Test("A port without a protocol is named by its name, else unknown")
    func noProtocol() throws {
        let mesh = try Mesh(
            Samples.entry(
                "{hosts: [a.test], ports: [{number: 1, name: http-x}, {number: 2, name: x}, {number: 3306, name: y}]}"
            )
        )
        #expect(mesh.snapshot.services.first?.ports.map(\.applicationProtocol) == [.http, .unknown, .tcp])
    }

    @Test("Each host is a service with all ports and addresses")
    func hostsTimesPorts() throws {
        let mesh = try Mesh(
            Samples.entry(
                """
                {hosts: [b.test, "*.a.test"], addresses: [10.0.0.0/8, 10.1.2.3],
                 ports: [{number: 443, name: tls, protocol: TLS}, {number: 80, name: http, protocol: HTTP}]}
                """
            )
        )
        let services = mesh.snapshot.services
        #expect(services.map(\.host.text) == ["b.test", "*.a.test"])
        #expect(services.allSatisfy { $0.ports.map(\.name) == ["tls", "http"] })
        #expect(services.allSatisfy { $0.addresses.map(\.description) == ["10.0.0.0/8", "10.1.2.3/32"] })
    }

    @Test("With resolution DNS and no endpoints the host itself is looked up, at the target port")
    func dnsHost() throws {
        let mesh = try Mesh(
            Samples.entry(
                "{hosts: [a.test], resolution: DNS, ports: [{number: 80, name: h, protocol: HTTP, targetPort: 8080}]}"
            )
        )
        let endpoint = try #require(mesh.endpoints("a.test").first)
        #expect(endpoint.address == .name(try #require(HostName("a.test"))))
        #expect(endpoint.port.number == 8080)
        #expect(endpoint.servicePortName == "h")
        #expect(mesh.snapshot.services.first?.resolution == .dns(roundRobin: false))
    }

    @Test("Names under a wildcard of TCP or TLS are looked up one by one: where they lead is up to the dialled name")
    func wildcardNames() throws {
        let mesh = try Mesh(
            Samples.entry(
                "{hosts: [\"*.a.test\", b.test], resolution: DNS, ports: [{number: 3306, name: d, protocol: TCP}, "
                    + "{number: 443, name: t, protocol: TLS}]}"
            )
        )

        let services = mesh.snapshot.services
        #expect(mesh.errors().isEmpty)
        #expect(services.map(\.resolution) == [.originalDestination, .dns(roundRobin: false)])
        #expect(services.map(\.resolvesDialledNames) == [true, false])
        #expect(services.map(\.mintsAddresses) == [true, false])
        #expect(mesh.endpoints("*.a.test").isEmpty)
    }

    @Test("A wildcard cannot be looked up: the host is left out and named, the others stay")
    func dnsWildcard() throws {
        let mesh = try Mesh(
            Samples.entry(
                "{hosts: [\"*.a.test\", b.test], resolution: DNS, ports: [{number: 80, name: h, protocol: HTTP}]}"
            )
        )
        #expect(mesh.snapshot.services.map(\.host.text) == ["b.test"])
        #expect(mesh.errors().first?.hasPrefix("spec.hosts[0]: `*.a.test` cannot be looked up") == true)
    }

    @Test("Endpoints have own ports, labels and weights")
    func staticEndpoints() throws {
        let mesh = try Mesh(
            Samples.entry(
                """
                {hosts: [a.test], resolution: STATIC, location: MESH_INTERNAL,
                 ports: [{number: 80, name: h, protocol: HTTP, targetPort: 8080}],
                 endpoints: [{address: 10.0.0.2, weight: 5, labels: {v: x}, ports: {h: 9000}}, {address: 10.0.0.1}]}
                """
            )
        )
        let endpoints = mesh.endpoints("a.test")
        #expect(endpoints.map(\.port.number) == [8080, 9000])
        #expect(endpoints.map(\.weight) == [1, 5])
        #expect(endpoints.last?.labels == ["v": "x"])
        #expect(mesh.snapshot.services.first?.isExternal == false)
    }

    @Test("Pods that a selector chooses are endpoints; others are not")
    func workloadSelector() throws {
        let mesh = try Mesh(
            Samples.entry(
                """
                {hosts: [a.test], resolution: STATIC, location: MESH_INTERNAL, workloadSelector: {labels: {app: ratings}},
                 ports: [{number: 80, name: h, protocol: HTTP, targetPort: 9080}]}
                """
            ) + "\n---\n" + Samples.ratings
        )
        let endpoints = mesh.endpoints("a.test")
        #expect(endpoints.map(\.workload?.name) == ["ratings-v1"])
        #expect(endpoints.map(\.port.number) == [9080])
        #expect(endpoints.first?.isReady == true)
    }

    @Test(
        "What exportTo says is who may see the entry",
        arguments: [
            ("[\".\"]", ["default"]), ("[a, b]", ["a", "b"]), ("[\"~\"]", []), ("[\"*\"]", nil), ("[]", nil),
        ] as [(String, Set<String>?)]
    )
    func exportTo(_ text: String, _ namespaces: Set<String>?) throws {
        let mesh = try Mesh(
            Samples.entry("{hosts: [a.test], exportTo: \(text), ports: [{number: 1, name: p, protocol: TCP}]}")
        )
        let expected = namespaces.map(Visibility.namespaces) ?? .everyone
        #expect(mesh.snapshot.services.first?.visibility == expected)
    }

    @Test(
        "Mistakes are refused with the field's path",
        arguments: [
            ("{hosts: [], ports: [{number: 1, protocol: TCP}]}", "spec.hosts: at least one"),
            ("{hosts: [\"*\"], ports: [{number: 1, protocol: TCP}]}", "spec.hosts[0]: `*` is too wide"),
            ("{hosts: [a_b..c], ports: [{number: 1, protocol: TCP}]}", "spec.hosts[0]: `a_b..c` is no host name"),
            ("{hosts: [a.test]}", "spec.ports: at least one"),
            ("{hosts: [a.test], ports: [{number: 0, protocol: TCP}]}", "spec.ports[0].number: 0 is no port"),
            ("{hosts: [a.test], ports: [{number: 65536, protocol: TCP}]}", "spec.ports[0].number: 65536 is no port"),
            ("{hosts: [a.test], ports: [{number: 1, protocol: SMTP}]}", "spec.ports[0].protocol: `SMTP` is unknown"),
            (
                "{hosts: [a.test], ports: [{number: 1, name: p}, {number: 2, name: p}]}",
                "spec.ports[1].name: `p` is the name"
            ),
            ("{hosts: [a.test], addresses: [10.0.0.0/33], ports: [{number: 1}]}", "spec.addresses[0]: `10.0.0.0/33`"),
            ("{hosts: [a.test], addresses: [x], ports: [{number: 1}]}", "spec.addresses[0]: `x` is neither"),
            (
                "{hosts: [a.test], addresses: [10.0.0.0/24], resolution: DNS, ports: [{number: 1}]}",
                "spec.addresses[0]: a block needs resolution NONE or STATIC"
            ),
            (
                "{hosts: [a.test], endpoints: [{address: 10.0.0.1}], ports: [{number: 1}]}",
                "spec.endpoints: need resolution STATIC or DNS"
            ),
            (
                "{hosts: [a.test], resolution: STATIC, endpoints: [{address: b.test}], ports: [{number: 1}]}",
                "spec.endpoints[0].address: `b.test` is not an IP address"
            ),
            (
                """
                {hosts: [a.test], resolution: STATIC, endpoints: [{address: 10.0.0.1}], ports: [{number: 1}],
                 workloadSelector: {labels: {a: b}}}
                """, "spec.endpoints: not together with workloadSelector"
            ),
            (
                """
                {hosts: [a.test], resolution: DNS_ROUND_ROBIN, ports: [{number: 1}],
                 endpoints: [{address: b.test}, {address: c.test}]}
                """, "spec.endpoints: at most one"
            ),
            (
                """
                {hosts: [a.test], resolution: STATIC, ports: [{number: 1, name: p}],
                 endpoints: [{address: 10.0.0.1, ports: {q: 2}}]}
                """, "spec.endpoints[0].ports.q: names no port"
            ),
            ("{hosts: 5}", "spec: cannot be read"),
        ]
    )
    func mistakes(_ spec: String, _ expected: String) throws {
        let mesh = try Mesh(Samples.entry(spec))
        #expect(mesh.errors().contains { $0.hasPrefix(expected) }, "\(mesh.errors())")
    }

    @Test("One endpoint is allowed with DNS_ROUND_ROBIN, and the last port is 65535")
    func otherSideOfLimits() throws {
        let mesh = try Mesh(
            Samples.entry(
                """
                {hosts: [a.test], resolution: DNS_ROUND_ROBIN, ports: [{number: 65535, name: p}],
                 endpoints: [{address: b.test}]}
                """
            )
        )
        #expect(mesh.errors() == [])
        #expect(mesh.snapshot.services.first?.resolution == .dns(roundRobin: true))
    }

    @Test("256 hosts are taken, 257 are not")
    func hostLimit() throws {
        func entry(_ count: Int) -> String {
            let hosts = (0..<count).map { "h\($0).test" }.joined(separator: ", ")
            return Samples.entry("{hosts: [\(hosts)], ports: [{number: 1, protocol: TCP}]}")
        }
        #expect(try Mesh(entry(256)).snapshot.services.count == 256)
        #expect(try Mesh(entry(257)).snapshot.services.count == 0)
        #expect(try Mesh(entry(257)).errors().first?.hasPrefix("spec.hosts: 257 entries") == true)
    }

    @Test("STATIC without endpoints is warned about: nothing can be reached")
    func staticWithoutEndpoints() throws {
        let mesh = try Mesh(Samples.entry("{hosts: [a.test], resolution: STATIC, ports: [{number: 1, name: p}]}"))
        #expect(mesh.warnings().first?.hasPrefix("spec.endpoints: none with resolution STATIC") == true)
        #expect(mesh.snapshot.services.count == 1)
    }

    @Test("Of two TCP entries without addresses on one port the younger is warned about")
    func shadowing() throws {
        let spec = "{hosts: [HOST], ports: [{number: 3306, name: tcp, protocol: TCP}]}"
        let mesh = try Mesh(
            [
                Samples.entry(spec.replacing("HOST", with: "db2.test"), name: "two", created: "2026-01-02T00:00:00Z"),
                Samples.entry(spec.replacing("HOST", with: "db1.test"), name: "one", created: "2026-01-01T00:00:00Z"),
            ].joined(separator: "\n---\n")
        )
        let warning = try #require(mesh.snapshot.diagnoses.first)
        #expect(warning.object.id.name == "two")
        #expect(warning.message.contains("hidden by `db1.test`"))
    }
}
