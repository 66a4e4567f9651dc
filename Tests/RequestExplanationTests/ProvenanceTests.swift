import MeshModel
import RequestExplanation
import Testing

/// Which objects are named, and what would let through what has no way.
@Suite struct ProvenanceTests {
    private func host(_ text: String) throws -> HostName { try #require(HostName(text)) }
    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
    private func port(_ number: Int) throws -> Port { try #require(Port(number)) }

    private func reference(_ kind: String, _ name: String, in namespace: String = "default") -> ObjectReference {
        ObjectReference(kind: kind, id: ObjectID(namespace: namespace, name: name))
    }

    private func workload(_ name: String, _ address: String, _ labels: [String: String]) throws -> Workload {
        Workload(
            id: ObjectID(namespace: "default", name: name),
            address: try self.address(address),
            labels: labels,
            serviceAccount: name
        )
    }

    private func service(_ name: String, _ ports: [Int], _ cluster: String) throws -> Service {
        Service(
            host: try self.host("\(name).default.svc.cluster.local"),
            addresses: [CIDR(try self.address(cluster))],
            ports: try ports.map {
                ServicePort(name: "http-\($0)", port: try self.port($0), applicationProtocol: .http)
            },
            source: self.reference("Service", name),
            selector: ["app": name]
        )
    }

    /// `sleep` with a sidecar, the service `web` with a pod of version `v1`, a gateway, and `edition.cnn.com` outside.
    private func mesh() throws -> MeshSnapshot {
        var snapshot = MeshSnapshot(revision: 7)
        for workload in [
            try self.workload("sleep", "10.213.1.1", ["app": "sleep", "security.istio.io/tlsMode": "istio"]),
            try self.workload("web", "10.213.1.2", ["app": "web", "version": "v1"]),
            try self.workload("gateway", "10.213.1.3", ["app": "gateway", "istio": "gateway"]),
        ] { snapshot.workloads[workload.address] = workload }
        let web = try self.service("web", [80], "10.214.0.5")
        let gateway = try self.service("gateway", [80, 81], "10.214.0.6")
        let outside = Service(
            host: try self.host("edition.cnn.com"),
            ports: [
                ServicePort(name: "http", port: try self.port(80), applicationProtocol: .http),
                ServicePort(name: "http-tls", port: try self.port(443), applicationProtocol: .http),
            ],
            resolution: .dns(roundRobin: false),
            isExternal: true,
            source: self.reference("ServiceEntry", "cnn")
        )
        snapshot.services = [web, gateway, outside]
        for (service, address, shift) in [(web, "10.213.1.2", 0), (gateway, "10.213.1.3", 8000)] {
            snapshot.endpoints[ServiceKey(service)] = try service.ports.map { port in
                let workload = try #require(snapshot.workloads[try self.address(address)])
                return Endpoint(
                    address: .ip(workload.address),
                    port: try self.port(Int(port.port.number) + shift),
                    servicePortName: port.name,
                    labels: workload.labels,
                    workload: workload.id,
                    serviceAccount: workload.serviceAccount
                )
            }
        }
        return snapshot
    }

    private func explain(_ url: String, in snapshot: MeshSnapshot) throws -> Explanation {
        Explainer.explain(try Question(from: ObjectID(namespace: "default", name: "sleep"), url: url), in: snapshot)
    }

    private func rule(
        _ name: String,
        _ host: String,
        in namespace: String = "default",
        age: Int64 = 0,
        _ change: (inout TrafficPolicy) throws -> Void = { _ in }
    ) throws -> DestinationPolicy {
        var policy = TrafficPolicy()
        try change(&policy)
        return DestinationPolicy(
            source: self.reference("DestinationRule", name, in: namespace),
            createdAt: age,
            host: try self.host(host),
            policy: policy
        )
    }

    private func object(_ aspect: Explanation.Aspect, of url: String, in snapshot: MeshSnapshot) throws -> String? {
        try self.explain(url, in: snapshot).steps.last { $0.aspect == aspect }?.object
    }

    @Test("TLS that a rule has for one port alone is that rule's, and only there")
    func portsOfRules() throws {
        var snapshot = try self.mesh()
        snapshot.destinationPolicies = [
            try self.rule("originate", "edition.cnn.com") {
                var own = TrafficPolicy()
                own.tls = ClientTLSSettings(mode: .simple)
                $0.ports[try self.port(443)] = own
            }
        ]

        let found = try self.object(.tls, of: "http://edition.cnn.com:443/", in: snapshot)
        #expect(found == "DestinationRule default/originate")
        #expect(try self.object(.tls, of: "http://edition.cnn.com/", in: snapshot) == nil)
    }

    @Test("Of a namespace's rules the one for the narrowest host is named, and none of a namespace that has no say")
    func narrowestRule() throws {
        var snapshot = try self.mesh()
        let wide = try self.rule("wide", "*.cnn.com", age: 1) { $0.tls = ClientTLSSettings(mode: .simple) }
        let narrow = try self.rule("narrow", "edition.cnn.com", age: 2) { $0.tls = ClientTLSSettings(mode: .disable) }
        snapshot.destinationPolicies = [wide, narrow]
        #expect(
            try self.object(.cluster, of: "http://edition.cnn.com/", in: snapshot) == "DestinationRule default/narrow"
        )

        snapshot.destinationPolicies = [try self.rule("foreign", "edition.cnn.com", in: "elsewhere")]
        #expect(try self.object(.cluster, of: "http://edition.cnn.com/", in: snapshot) == nil)
    }

    /// A VirtualService for `web` with one rule for paths under `/a`.
    private func routes(to subset: String?) throws -> RouteRules {
        let host = try self.host("web.default.svc.cluster.local")
        var rule = HTTPRouteRule(action: .forward([RouteDestination(host: host, subset: subset)]))
        var match = RequestMatch()
        match.path = .prefix("/a")
        rule.matches = [match]
        return RouteRules(source: self.reference("VirtualService", "web"), hosts: [host], http: [rule])
    }

    @Test("A path that no rule has comes with the rule that is missing")
    func noRoute() throws {
        var snapshot = try self.mesh()
        snapshot.routeRules = [try self.routes(to: nil)]

        let found = try self.explain("http://web/b", in: snapshot)

        #expect(found.outcome.hasPrefix("404 NR"))
        #expect(found.remedy?.contains("other rules of VirtualService default/web") == true, "\(found)")
        #expect(found.remedy?.contains("host: web.default.svc.cluster.local") == true)
        #expect(try self.explain("http://web/a", in: snapshot).isAllowed)
    }

    @Test("A subset that nobody declared comes with the rule that declares it")
    func noSubset() throws {
        var snapshot = try self.mesh()
        snapshot.routeRules = [try self.routes(to: "v1")]

        let found = try self.explain("http://web/a", in: snapshot)

        #expect(found.outcome.hasPrefix("503 NC"))
        for part in [
            "kind: DestinationRule", "host: \"web.default.svc.cluster.local\"", "- name: v1", "version: \"v1\"",
        ] {
            #expect(found.remedy?.contains(part) == true, "\(found)")
        }
    }

    @Test("A subset that no pod belongs to comes with labels that a ready pod has")
    func emptySubset() throws {
        var snapshot = try self.mesh()
        snapshot.routeRules = [try self.routes(to: "next")]
        var rule = try self.rule("web", "web.default.svc.cluster.local")
        rule.subsets = [DestinationPolicy.Subset(name: "next", labels: ["version": "v2"])]
        snapshot.destinationPolicies = [rule]

        let found = try self.explain("http://web/a", in: snapshot)

        #expect(found.outcome.hasPrefix("503 UH"))
        #expect(found.steps.last?.object == "DestinationRule default/web")
        #expect(found.remedy?.contains("- name: next") == true && found.remedy?.contains("version: \"v1\"") == true)
    }

    @Test("A port that no Gateway opens comes with the Gateway that does")
    func closedPort() throws {
        var snapshot = try self.mesh()
        snapshot.gateways = [
            GatewayRules(
                source: self.reference("Gateway", "front"),
                selector: ["istio": "gateway"],
                servers: [
                    .init(port: try self.port(80), serverProtocol: .http, hosts: [.init(name: try self.host("*"))])
                ]
            )
        ]

        let found = try self.explain("http://gateway:81/", in: snapshot)

        #expect(found.outcome.contains("does not listen on port 8081"), "\(found)")
        for part in ["kind: Gateway", "istio: gateway", "number: 81", "protocol: HTTP"] {
            #expect(found.remedy?.contains(part) == true, "\(found)")
        }
        let unbound = try self.explain("http://gateway/", in: snapshot)
        #expect(unbound.outcome.hasPrefix("404 NR"), "\(unbound)")
        #expect(unbound.steps.contains { $0.aspect == .listener && $0.object == "Gateway default/front" }, "\(unbound)")
        #expect(unbound.remedy?.contains("kind: VirtualService") == true)
        #expect(unbound.remedy?.contains("gateways:\n  - default/front") == true)
    }
}
