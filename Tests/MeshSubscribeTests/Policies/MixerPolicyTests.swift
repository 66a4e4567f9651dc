import Foundation
import MeshModel
import MeshSubscribe
import MeshTranslate
import SwiftProtobuf
import Testing
import TrafficEngine
import XDSAPI

/// Settings of the policy engine go the whole way: translated, sent as bytes, read.
@Suite struct MixerPolicyTests {
    private func policy(_ change: (inout MeshSnapshot) -> Void = { _ in }) throws -> MixerPolicy? {
        var mesh = try PolicyMesh()
        let engine = try #require(HostName("istio-policy.istio-system.svc.cluster.local"))
        let port = try #require(Port(9091))
        mesh.edit { snapshot in
            snapshot.settings.policyEngine.checkServer = .init(host: engine, port: port)
            change(&snapshot)
        }
        return try mesh.manager().mixer
    }

    @Test("A workload's requests are checked, with what is known of it")
    func checks() throws {
        let policy = try #require(try self.policy())
        #expect(policy.checkServer?.name == "outbound|9091||istio-policy.istio-system.svc.cluster.local")
        #expect(policy.reportServer == nil)
        #expect(!policy.failsOpen)
        #expect(policy.attributes["destination.uid"] == .text("kubernetes://web-1.shop"))
        let service = try #require(policy.first.service)
        #expect(service.attributes["destination.service.host"] == .text("web.shop.svc.cluster.local"))
        #expect(policy.side == .inbound)
        #expect(policy.attributes["destination.port"] == .number(80))
        #expect(policy.attributes["destination.ip"] == .bytes([10, 213, 0, 1]))
        #expect(policy.first.quotas.isEmpty)
    }

    @Test("How long an answer may take goes the same way, for requests and connections")
    func timeout() throws {
        #expect(try self.policy()?.checkTimeout == .seconds(5))
        #expect(try self.policy { $0.settings.policyEngine.checkTimeout = .seconds(35) }?.checkTimeout == .seconds(35))
        var mesh = try PolicyMesh()
        let engine = try #require(HostName("istio-policy.istio-system.svc.cluster.local"))
        let port = try #require(Port(9091))
        mesh.edit { snapshot in
            snapshot.settings.policyEngine.checkServer = .init(host: engine, port: port)
            snapshot.settings.policyEngine.checkTimeout = .milliseconds(1500)
        }
        let chain = try #require(try mesh.listener().chains.first { $0.match.destinationPort == 90 })
        guard case .tcp(let proxy) = chain.terminal else {
            Issue.record("no bytes are passed on")
            return
        }
        #expect(proxy.mixer?.checkTimeout == .milliseconds(1500))
    }

    @Test("Without an engine there is no policy")
    func off() throws {
        #expect(try self.policy { $0.settings.policyEngine = PolicyEngineSettings() } == nil)
    }

    @Test("Reports alone ask nobody, and an open way is said to be open")
    func reports() throws {
        let policy = try #require(
            try self.policy {
                $0.settings.policyEngine.reportServer = $0.settings.policyEngine.checkServer
                $0.settings.policyEngine.checkServer = nil
                $0.settings.policyEngine.failsOpen = true
            }
        )
        #expect(policy.checkServer == nil && policy.reportServer != nil && policy.failsOpen)
    }

    @Test("Quotas keep their conditions and amounts")
    func quotas() throws {
        let host = try #require(HostName("*"))
        let policy = try #require(
            try self.policy {
                $0.quotas = [
                    QuotaBinding(
                        source: ObjectReference(kind: "QuotaSpecBinding", id: ObjectID(namespace: "n", name: "b")),
                        createdAt: 1,
                        hosts: [host],
                        rules: [.init(matches: [["request.path": .regex("/a.*")]], charges: ["requests": 2])]
                    )
                ]
            }
        )
        let rule = try #require(policy.first.quotas.first)
        #expect(rule.charges == [QuotaCharge(quota: "requests", amount: 2)])
        #expect(rule.matches.first?.clauses.first?.attribute == "request.path")
    }

    @Test("What requests mean keeps its forms and values")
    func interfaces() throws {
        let host = try #require(HostName("web.shop.svc.cluster.local"))
        let template = try URITemplate(parsing: "/pets/{id}")
        func binding(_ name: String, _ operations: [APISpec.Operation], _ places: [APISpec.KeyPlace]) -> APIBinding {
            APIBinding(
                source: ObjectReference(kind: "HTTPAPISpecBinding", id: ObjectID(namespace: "n", name: name)),
                createdAt: 1,
                hosts: [host],
                specs: [APISpec(attributes: ["api.service": .text(name)], operations: operations, keyPlaces: places)]
            )
        }
        let policy = try #require(
            try self.policy {
                $0.interfaces = [
                    binding(
                        "a",
                        [.init(method: "GET", path: .template(template), attributes: ["api.operation": .text("find")])],
                        [.header("X-Key")]
                    ),
                    binding(
                        "b",
                        [.init(method: "GET", path: .regex("/cats.*"), attributes: ["api.cost": .fraction(1.5)])],
                        []
                    ),
                ]
            }
        )
        func attributes(_ target: String) -> [String: MixerValue] {
            let request = OwnedRequest(
                method: "GET",
                target: target,
                authority: "web.shop",
                headers: [("x-key", "7")],
                isSecure: false
            )
            let facts = PolicyFacts(source: nil, destination: NetworkAddress(ip: .v4(1), port: 80))
            return request.withView { view in
                RequestAttributes(view, facts, policy, policy.destination(of: view).service).all(at: 0)
            }
        }
        #expect(attributes("/pets/1")["api.operation"] == .text("find"))
        // Of two that say the same the older one counts.
        #expect(attributes("/pets/1")["api.service"] == .text("a"))
        #expect(attributes("/pets/1")["destination.service.name"] == .text("web"))
        #expect(attributes("/cats")["api.cost"] == .fraction(1.5) && attributes("/cats")["api.operation"] == nil)
        #expect(attributes("/dogs")["api.service"] == .text("a") && attributes("/dogs")["api.cost"] == nil)
        #expect(attributes("/dogs")["request.api_key"] == .text("7"))
    }

    /// The state of a proxy of the same mesh, out of bytes.
    private func state(of role: ProxyKey.Role, _ change: (inout MeshSnapshot) -> Void) throws -> ProxyState {
        var mesh = try PolicyMesh()
        let engine = try #require(HostName("istio-policy.istio-system.svc.cluster.local"))
        let port = try #require(Port(9091))
        mesh.edit { snapshot in
            snapshot.settings.policyEngine.checkServer = .init(host: engine, port: port)
            snapshot.settings.policyEngine.checksClients = true
            change(&snapshot)
        }
        var proxy = ProxyKey(
            role: role,
            address: .v4(0x0ad5_0002),
            workload: ObjectID(namespace: "ops", name: "caller-1"),
            dnsDomain: "ops.svc.cluster.local"
        )
        proxy.asksPolicyEngine = true
        let resources = Translator.resources(of: proxy, in: mesh.snapshot)
        var builder = StateBuilder(workload: OwnWorkload(nodeID: "sidecar~10.213.0.2~caller-1.ops~ops.svc"))
        #expect(builder.setClusters(try resources.clusters.map(Messages.any), version: "1") == [])
        #expect(builder.setEndpoints(try resources.endpoints.map(Messages.any), version: "1") == [])
        #expect(builder.setRoutes(try resources.routes.map(Messages.any), version: "1") == [])
        #expect(builder.setListeners(try resources.listeners.map(Messages.any), version: "1") == [])
        return builder.makeState()
    }

    @Test("On the way out the proxy says who it is, and the cluster which service it stands for")
    func outbound() throws {
        let state = try self.state(of: .sidecar) { _ in }
        let listener = try #require(state.listeners.first { $0.name == "0.0.0.0_80" })
        let chains = listener.chains + [listener.defaultChain].compactMap { $0 }
        let policies = chains.compactMap { chain in
            if case .http(let manager) = chain.terminal { manager.mixer } else { nil }
        }
        let policy = try #require(policies.first)
        #expect(policy.side == .outbound)
        #expect(policy.attributes["context.reporter.kind"] == .text("outbound"))
        #expect(policy.attributes["context.reporter.uid"] == .text("kubernetes://caller-1.ops"))
        #expect(policy.attributes["source.uid"] == .text("kubernetes://caller-1.ops"))
        #expect(policy.attributes["source.namespace"] == .text("ops"))
        let cluster = try #require(
            state.clusters.compactMap { $0 }.first { $0.name == "outbound|80||web.shop.svc.cluster.local" }
        )
        let service = try #require(cluster.service)
        #expect(service.attributes["destination.service.name"] == .text("web"))
        #expect(service.attributes["destination.service.namespace"] == .text("shop"))
        #expect(policy.destination(of: service).service === service)
        let told = Istio_Mixer_V1_Attributes.with {
            $0.attributes["source.uid"] = .with { $0.stringValue = "kubernetes://caller-1.ops" }
        }
        #expect(String(decoding: policy.forwarded, as: UTF8.self) == (try told.serializedData()).base64EncodedString())
    }

    @Test("Connections to services outside the mesh are charged where they leave, those to others are not")
    func connectionQuotas() throws {
        let outside = try #require(HostName("db.test"))
        let mysql = try #require(Port(3306))
        let state = try self.state(of: .sidecar) { snapshot in
            snapshot.services.append(
                Service(
                    host: outside,
                    ports: [ServicePort(name: "tcp", port: mysql, applicationProtocol: .tcp)],
                    resolution: .dns(roundRobin: false),
                    isExternal: true,
                    source: ObjectReference(kind: "ServiceEntry", id: ObjectID(namespace: "ops", name: "db")),
                    createdAt: 2
                )
            )
            for (index, host) in [outside, snapshot.services[0].host].enumerated() {
                snapshot.quotas.append(
                    QuotaBinding(
                        source: ObjectReference(
                            kind: "QuotaSpecBinding",
                            id: ObjectID(namespace: "n", name: "\(index)")
                        ),
                        createdAt: 1,
                        hosts: [host],
                        rules: [.init(matches: [], charges: ["connections": 3])]
                    )
                )
            }
        }
        func charges(_ port: UInt16, _ cluster: String) throws -> [QuotaCharge] {
            let chains = state.listeners.filter { $0.name.hasSuffix("_\(port)") }
                .flatMap { $0.chains + [$0.defaultChain].compactMap { $0 } }
            let policies = chains.compactMap { chain in
                if case .tcp(let proxy) = chain.terminal { proxy.mixer } else { nil }
            }
            let policy = try #require(policies.first)
            let service = try #require(state.clusters.compactMap { $0 }.first { $0.name == cluster }?.service)
            let facts = PolicyFacts(source: nil, destination: NetworkAddress(ip: .v4(1), port: port))
            let destination = policy.destination(of: service)
            return destination.charges(RequestAttributes(connection: "1", facts, policy, destination.service))
        }
        #expect(try charges(3306, "outbound|3306||db.test") == [QuotaCharge(quota: "connections", amount: 3)])
        #expect(try charges(90, "outbound|90||web.shop.svc.cluster.local") == [])
    }

    @Test("Clusters say nothing of services where nobody is asked about what leaves")
    func silent() throws {
        let state = try self.state(of: .sidecar) { $0.settings.policyEngine.checksClients = false }
        #expect(state.clusters.allSatisfy { $0?.service == nil })
        let gateway = try self.state(of: .router) { $0.settings.policyEngine.checksClients = false }
        #expect(gateway.clusters.contains { $0?.service != nil })
    }

    @Test("What is said of connections goes the same way")
    func connections() throws {
        var mesh = try PolicyMesh()
        let engine = try #require(HostName("istio-policy.istio-system.svc.cluster.local"))
        let port = try #require(Port(9091))
        mesh.edit { $0.settings.policyEngine.reportServer = .init(host: engine, port: port) }
        let chain = try #require(try mesh.listener().chains.first { $0.match.destinationPort == 90 })
        guard case .tcp(let proxy) = chain.terminal else {
            Issue.record("no bytes are passed on")
            return
        }
        let policy = try #require(proxy.mixer)
        #expect(policy.checkServer == nil)
        #expect(policy.reportServer?.name == "outbound|9091||istio-policy.istio-system.svc.cluster.local")
        #expect(policy.attributes["destination.service.name"] == .text("web"))
        #expect(policy.attributes["destination.port"] == .number(90))
        #expect(policy.reportInterval == .seconds(10) && policy.side == .inbound)
    }

    @Test("A node's id tells the workload", arguments: ["sidecar~1.2.3.4~a.b~d", "router~::1~x.y.b~"])
    func node(_ id: String) throws {
        #expect(try #require(OwnWorkload(nodeID: id)).namespace == "b")
    }

    @Test("A node's id of another form tells nothing", arguments: ["", "a~b~c", "a~b~c~d", "a~b~.c~d", "a~b~c.~d"])
    func strange(_ id: String) { #expect(OwnWorkload(nodeID: id) == nil) }
}
