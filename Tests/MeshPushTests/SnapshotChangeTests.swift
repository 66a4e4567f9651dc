import MeshModel
import MeshPush
import Testing

@Suite struct SnapshotChangeTests {
    @Test("Snapshots that differ in revision and findings only are the same to proxies")
    func nothing() throws {
        let old = try Self.snapshot(addresses: ["10.213.1.1"])
        var new = old
        new.revision += 1
        new.diagnoses = [
            Diagnosis(severity: .warning, object: old.services[0].source, message: "looks odd")
        ]

        #expect(SnapshotChange(from: old, to: new) == .nothing)
    }

    @Test("An endpoint that comes concerns its service, and the proxy beside it")
    func endpoint() throws {
        let old = try Self.snapshot(addresses: ["10.213.1.1"])
        let new = try Self.snapshot(addresses: ["10.213.1.1", "10.213.1.2"])

        guard case .endpoints(let change) = SnapshotChange(from: old, to: new) else {
            Issue.record("not a change of endpoints alone")
            return
        }
        #expect(change.services == [ServiceKey(new.services[0])])
        #expect(change.concerns(try Self.proxy("10.213.1.2")))
        #expect(!change.concerns(try Self.proxy("10.213.1.1")))
    }

    @Test("Instances of a headless service are told apart from endpoints: names and listeners depend on them")
    func headless() throws {
        var old = try Self.snapshot(addresses: ["10.213.1.1"])
        old.services[0].isHeadless = true
        let key = ServiceKey(old.services[0])
        old.instances[key] = [ServiceInstance(address: .v4(1))]
        var named = old
        named.instances[key] = [ServiceInstance(address: .v4(1), hostName: "db-0")]
        var more = try Self.snapshot(addresses: ["10.213.1.1", "10.213.1.2"])
        more.services = old.services

        for new in [named, more] {
            guard case .endpoints(let change) = SnapshotChange(from: old, to: new) else {
                Issue.record("not a change of endpoints alone")
                return
            }
            #expect(change.headless == [key] && change.services.isEmpty)
        }
        #expect(SnapshotChange(from: old, to: old) == .nothing)
    }

    @Test("Endpoints that also stand in listeners or clusters change everything")
    func everything() throws {
        var old = try Self.snapshot(addresses: ["10.213.1.1"])
        var new = try Self.snapshot(addresses: ["10.213.1.2"])
        old.services[0].resolution = .dns(roundRobin: false)
        new.services[0].resolution = .dns(roundRobin: false)
        #expect(SnapshotChange(from: old, to: new) == .everything)

        old = try Self.snapshot(addresses: [])
        new = old
        new.settings.outboundPolicy = .allowAny
        #expect(SnapshotChange(from: old, to: new) == .everything)
    }

    @Test("Policies, gateways and Secrets change everything")
    func policies() throws {
        let old = try Self.snapshot(addresses: ["10.213.1.1"])
        let source = ObjectReference(kind: "X", id: ObjectID(namespace: "default", name: "x"))
        let changes: [@Sendable (inout MeshSnapshot) -> Void] = [
            { $0.peerPolicies = [PeerPolicy(source: source, mode: .strict)] },
            { $0.gateways = [GatewayRules(source: source)] },
            { $0.sidecars = [SidecarRules(source: source)] },
            { $0.authorizationRules = [AuthorizationRules(source: source)] },
            { $0.quotas = [QuotaBinding(source: source, createdAt: 1, hosts: [], rules: [])] },
            { $0.interfaces = [APIBinding(source: source, createdAt: 1, hosts: [], specs: [])] },
            { $0.requestAuthentications = [RequestAuthenticationRules(source: source)] },
            { $0.credentials[source.id] = TLSCredential(roots: [1]) },
        ]
        for change in changes {
            var new = old
            change(&new)
            #expect(SnapshotChange(from: old, to: new) == .everything)
        }
    }

    @Test("A new pod of a known account is a change of endpoints; an account that clusters do not know is not")
    func identities() throws {
        func snapshot(_ accounts: [String]) throws -> MeshSnapshot {
            var snapshot = try Self.snapshot(addresses: (1...accounts.count).map { "10.213.1.\($0)" })
            let key = ServiceKey(snapshot.services[0])
            for (index, account) in accounts.enumerated() {
                snapshot.endpoints[key]?[index].hasMeshIdentity = true
                snapshot.endpoints[key]?[index].serviceAccount = account
            }
            return snapshot
        }
        let old = try snapshot(["web"])

        guard case .endpoints = SnapshotChange(from: old, to: try snapshot(["web", "web"])) else {
            Issue.record("not a change of endpoints alone")
            return
        }
        #expect(SnapshotChange(from: old, to: try snapshot(["web", "canary"])) == .everything)
        var plain = old
        plain.endpoints[ServiceKey(old.services[0])]?[0].hasMeshIdentity = false
        #expect(SnapshotChange(from: old, to: plain) == .everything)
    }

    @Test("A first pod in plain text is a change of endpoints, unless somebody asks for mutual TLS with it")
    func firstPod() throws {
        let old = try Self.snapshot(addresses: [])
        var new = try Self.snapshot(addresses: ["10.213.1.1"])
        let key = ServiceKey(new.services[0])
        new.endpoints[key]?[0].serviceAccount = "web"
        guard case .endpoints(let change) = SnapshotChange(from: old, to: new) else {
            Issue.record("not a change of endpoints alone")
            return
        }
        #expect(change.services == [key])

        var rule = DestinationPolicy(
            source: ObjectReference(kind: "DestinationRule", id: ObjectID(namespace: "default", name: "web")),
            host: try #require(HostName("*.svc.cluster.local"))
        )
        rule.policy.ports[try #require(Port(80))] = TrafficPolicy()
        rule.policy.ports[try #require(Port(80))]?.tls = ClientTLSSettings(mode: .istioMutual)
        var (ruled, ruledNew) = (old, new)
        ruled.destinationPolicies = [rule]
        ruledNew.destinationPolicies = [rule]
        #expect(SnapshotChange(from: ruled, to: ruledNew) == .everything)
        new.endpoints[key]?[0].hasMeshIdentity = true
        #expect(SnapshotChange(from: old, to: new) == .everything)
    }

    private static func snapshot(addresses: [String]) throws -> MeshSnapshot {
        let port = try #require(Port(80))
        let service = Service(
            host: try #require(HostName("web.default.svc.cluster.local")),
            ports: [ServicePort(name: "http", port: port, applicationProtocol: .http)],
            source: ObjectReference(kind: "Service", id: ObjectID(namespace: "default", name: "web"))
        )
        var snapshot = MeshSnapshot(revision: 1)
        snapshot.services = [service]
        snapshot.endpoints[ServiceKey(service)] = try addresses.map { text in
            Endpoint(
                address: .ip(try #require(IPAddress(text))),
                port: port,
                servicePortName: "http",
                workload: ObjectID(namespace: "default", name: "web-\(text)")
            )
        }
        return snapshot
    }

    private static func proxy(_ text: String) throws -> ProxyKey {
        ProxyKey(
            role: .sidecar,
            address: try #require(IPAddress(text)),
            workload: ObjectID(namespace: "default", name: "web-\(text)"),
            dnsDomain: "default.svc.cluster.local"
        )
    }
}
