import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

/// The filters that ask the policy engine.
@Suite struct MixerFiltersTests {
    private typealias Manager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager
    private typealias Config = Istio_Mixer_V1_Config_Client_HttpClientConfig

    private func mesh(_ change: (inout MeshSnapshot) throws -> Void = { _ in }) throws -> MeshBuilder {
        var mesh = MeshBuilder()
        try mesh.service("web", ip: "10.96.0.1", ports: ["http": 80], endpoints: ["10.213.9.9": ["app": "web"]])
        try mesh.edit { snapshot in
            let engine = try host("istio-policy.istio-system.svc.cluster.local")
            snapshot.settings.policyEngine.checkServer = .init(host: engine, port: try port(9091))
            try change(&snapshot)
        }
        return mesh
    }

    /// The settings in the inbound chain for port 80, and where the filter stands.
    private func filter(in mesh: MeshBuilder, asks: Bool = true) throws -> (config: Config, place: [String])? {
        let listeners = try mesh.resources(asksPolicyEngine: asks).listeners
        let inbound = try #require(listeners.first { $0.name == "virtualInbound" })
        let chain = try #require(inbound.filterChains.first { $0.filterChainMatch.destinationPort.value == 80 })
        let manager = try Manager(unpackingAny: try #require(chain.filters.last).typedConfig)
        guard let filter = manager.httpFilters.first(where: { $0.name == "mixer" }) else { return nil }
        return (try Config(unpackingAny: filter.typedConfig), manager.httpFilters.map(\.name))
    }

    @Test("Nothing is added without an engine, for stock Envoy, or where the pod wants no checks")
    func off() throws {
        #expect(try self.filter(in: self.mesh { $0.settings.policyEngine = PolicyEngineSettings() }) == nil)
        #expect(try self.filter(in: self.mesh(), asks: false) == nil)
        let pod = try self.mesh { snapshot in
            let address = try address("10.213.9.9")
            let id = ObjectID(namespace: "default", name: "client")
            var workload = Workload(id: id, address: address, labels: [:], serviceAccount: "default")
            workload.policyCheck = .disable
            snapshot.workloads[address] = workload
        }
        #expect(try self.filter(in: pod) == nil)
    }

    @Test("The filter says who is asked, for which service, and stands in front of the router")
    func settings() throws {
        let found = try #require(try self.filter(in: self.mesh()))
        #expect(found.place == ["mixer", "envoy.filters.http.cors", "envoy.filters.http.router"])
        let config = found.config
        #expect(config.transport.checkCluster == "outbound|9091||istio-policy.istio-system.svc.cluster.local")
        #expect(config.transport.reportCluster == "")
        #expect(config.transport.networkFailPolicy.policy == .failClose)
        let attributes = config.mixerAttributes.attributes
        #expect(attributes["destination.uid"]?.stringValue == "kubernetes://client.default")
        #expect(attributes["destination.port"]?.int64Value == 80)
        #expect(attributes["context.reporter.kind"]?.stringValue == "inbound")
        let service = try #require(config.serviceConfigs[config.defaultDestinationService])
        #expect(service.disableReportCalls && !service.disableCheckCalls)
        let own = service.mixerAttributes.attributes
        #expect(own["destination.service.host"]?.stringValue == "web.default.svc.cluster.local")
        #expect(own["destination.service.name"]?.stringValue == "web")
    }

    @Test("A pod may let requests pass while the engine is away")
    func allowOnError() throws {
        let mesh = try self.mesh { snapshot in
            let address = try address("10.213.9.9")
            let id = ObjectID(namespace: "default", name: "client")
            var workload = Workload(id: id, address: address, labels: [:], serviceAccount: "default")
            workload.policyCheck = .allowOnError
            snapshot.workloads[address] = workload
        }
        #expect(try self.filter(in: mesh)?.config.transport.networkFailPolicy.policy == .failOpen)
    }

    @Test(
        "Quotas are those that are bound to the service, or to all",
        arguments: ["web.default.svc.cluster.local", "*"]
    )
    func quotas(_ name: String) throws {
        let mesh = try self.mesh { snapshot in
            for (index, name) in [name, "other.default.svc.cluster.local"].enumerated() {
                let id = ObjectID(namespace: "default", name: "binding-\(index)")
                let rule = QuotaBinding.Rule(matches: [["request.path": .prefix("/a")]], charges: ["requests": 2])
                snapshot.quotas.append(
                    QuotaBinding(
                        source: ObjectReference(kind: "QuotaSpecBinding", id: id),
                        createdAt: 1,
                        hosts: [try host(name)],
                        rules: [rule]
                    )
                )
            }
        }
        let config = try #require(try self.filter(in: mesh)).config
        let specs = try #require(config.serviceConfigs[config.defaultDestinationService]).quotaSpec
        #expect(specs.count == 1)
        let rule = try #require(specs.first?.rules.first)
        #expect(rule.match.first?.clause["request.path"]?.prefix == "/a")
        #expect(rule.quotas.first?.quota == "requests" && rule.quotas.first?.charge == 2)
    }

    @Test("All services that lead to a port are told apart, the oldest first in doubt")
    func several() throws {
        var mesh = try self.mesh()
        try mesh.service("alias", ip: "10.96.0.2", ports: ["http": 80], endpoints: ["10.213.9.9": ["app": "web"]])
        let config = try #require(try self.filter(in: mesh)).config
        #expect(config.defaultDestinationService == "web.default.svc.cluster.local")
        #expect(config.serviceConfigs.count == 2)
        let alias = try #require(config.serviceConfigs["alias.default.svc.cluster.local"])
        #expect(alias.mixerAttributes.attributes["destination.service.name"]?.stringValue == "alias")
    }

    // MARK: What requests mean

    private func bind(_ names: String..., to snapshot: inout MeshSnapshot) throws {
        let spec = APISpec(
            attributes: ["api.service": .text("pets")],
            operations: [
                .init(
                    method: "GET",
                    path: .template(try URITemplate(parsing: "/pets/{id}")),
                    attributes: ["api.operation": .text("findPet"), "api.cost": .number(2)]
                ),
                .init(method: "POST", path: .regex("/pets.*"), attributes: [:]),
            ],
            keyPlaces: [.query("a"), .header("b"), .cookie("c")]
        )
        snapshot.interfaces.append(
            APIBinding(
                source: ObjectReference(kind: "HTTPAPISpecBinding", id: ObjectID(namespace: "n", name: "b")),
                createdAt: 1,
                hosts: try names.map { try host($0) },
                specs: [spec]
            )
        )
    }

    @Test(
        "What requests mean is said for the services that it is bound to",
        arguments: ["web.default.svc.cluster.local", "*"]
    )
    func interfaces(_ name: String) throws {
        let mesh = try self.mesh { try self.bind(name, to: &$0) }
        let config = try #require(try self.filter(in: mesh)).config
        let spec = try #require(config.serviceConfigs[config.defaultDestinationService]?.httpApiSpec.first)
        #expect(spec.attributes.attributes["api.service"]?.stringValue == "pets")
        #expect(spec.patterns.map(\.httpMethod) == ["GET", "POST"])
        #expect(spec.patterns[0].uriTemplate == "/pets/{id}" && spec.patterns[1].regex == "/pets.*")
        #expect(spec.patterns[0].attributes.attributes["api.cost"]?.int64Value == 2)
        #expect(
            spec.apiKeys.map(\.query) == ["a", "", ""] && spec.apiKeys[1].header == "b" && spec.apiKeys[2].cookie == "c"
        )
        let other = try self.mesh { try self.bind("other.default.svc.cluster.local", to: &$0) }
        let silent = try #require(try self.filter(in: other)).config
        #expect(silent.serviceConfigs[silent.defaultDestinationService]?.httpApiSpec == [])
    }

    @Test("Where requests leave it is said of services outside the mesh alone, each by its own host")
    func externalInterfaces() throws {
        var mesh = try self.mesh { $0.settings.policyEngine.checksClients = true }
        try mesh.entry("api.test", port: 80, .http, resolution: .dns(roundRobin: false))
        try mesh.edit { try self.bind("*.test", "web.default.svc.cluster.local", to: &$0) }
        let config = try #require(try self.outbound(mesh).first)
        #expect(Set(config.serviceConfigs.keys) == ["api.test"])
        let service = try #require(config.serviceConfigs["api.test"])
        #expect(service.httpApiSpec.count == 1)
        #expect(service.mixerAttributes.attributes["destination.service.host"]?.stringValue == "api.test")
    }

    // MARK: The way out

    /// The filters of all HTTP chains for what leaves by a port.
    private func outbound(_ mesh: MeshBuilder, port number: Int = 80) throws -> [Config] {
        let listeners = try mesh.resources(asksPolicyEngine: true).listeners
        let listener = try #require(listeners.first { $0.name == "0.0.0.0_\(number)" })
        let chains = listener.filterChains + (listener.hasDefaultFilterChain ? [listener.defaultFilterChain] : [])
        return try chains.compactMap { chain in
            guard let any = chain.filters.last?.typedConfig, any.isA(Manager.self) else { return nil }
            let manager = try Manager(unpackingAny: any)
            guard let filter = manager.httpFilters.first(where: { $0.name == "mixer" }) else { return nil }
            let config = try Config(unpackingAny: filter.typedConfig)
            #expect(manager.normalizePath.value == (config.transport.checkCluster != ""))
            return config
        }
    }

    @Test("Sidecars ask about what leaves only if that is wanted, and say whose side it is")
    func clients() throws {
        #expect(try self.outbound(self.mesh { $0.settings.policyEngine = PolicyEngineSettings() }).isEmpty)
        // Proxies of the mesh are told who sends the request all the same.
        let silent = try self.outbound(self.mesh())
        #expect(!silent.isEmpty && silent.allSatisfy { $0.transport.checkCluster == "" })
        let configs = try self.outbound(self.mesh { $0.settings.policyEngine.checksClients = true })
        #expect(!configs.isEmpty)
        for config in configs {
            #expect(config.transport.checkCluster == "outbound|9091||istio-policy.istio-system.svc.cluster.local")
            #expect(config.mixerAttributes.attributes.mapValues(\.stringValue) == ["context.reporter.kind": "outbound"])
        }
    }

    @Test("Sidecars tell what became of what leaves, if anybody is told at all")
    func clientReports() throws {
        let mesh = try self.mesh {
            $0.settings.policyEngine.reportServer = $0.settings.policyEngine.checkServer
        }
        let listeners = try mesh.resources(asksPolicyEngine: true).listeners
        let listener = try #require(listeners.first { $0.name == "0.0.0.0_80" })
        let manager = try Manager(unpackingAny: try #require(listener.defaultFilterChain.filters.last).typedConfig)
        let filter = try #require(manager.httpFilters.first { $0.name == "mixer" })
        let config = try Config(unpackingAny: filter.typedConfig)
        #expect(config.transport.checkCluster == "" && config.transport.reportCluster != "")
        #expect(!manager.normalizePath.value)
    }

    @Test("A pod that wants no checks is not asked about on its way out either")
    func choice() throws {
        let mesh = try self.mesh { snapshot in
            snapshot.settings.policyEngine.checksClients = true
            let address = try address("10.213.9.9")
            let id = ObjectID(namespace: "default", name: "client")
            var workload = Workload(id: id, address: address, labels: [:], serviceAccount: "default")
            workload.policyCheck = .disable
            snapshot.workloads[address] = workload
        }
        #expect(try self.outbound(mesh).allSatisfy { $0.transport.checkCluster == "" })
    }

    @Test("Quotas of services outside the mesh are charged where requests leave, those of others are not")
    func external() throws {
        var mesh = try self.mesh { $0.settings.policyEngine.checksClients = true }
        try mesh.entry("api.test", port: 80, .http, resolution: .dns(roundRobin: false))
        try mesh.edit { snapshot in
            for name in ["api.test", "web.default.svc.cluster.local", "*.test"] {
                snapshot.quotas.append(
                    QuotaBinding(
                        source: ObjectReference(kind: "QuotaSpecBinding", id: ObjectID(namespace: "n", name: name)),
                        createdAt: 1,
                        hosts: [try host(name)],
                        rules: [.init(matches: [], charges: ["requests": 1])]
                    )
                )
            }
        }
        let config = try #require(try self.outbound(mesh).first)
        #expect(Set(config.serviceConfigs.keys) == ["api.test", "*.test"])
        #expect(config.serviceConfigs["api.test"]?.quotaSpec.count == 1)
        let clusters = try mesh.resources(asksPolicyEngine: true).clusters
        func isExternal(_ name: String) -> Bool? {
            clusters.first { $0.name == name }?.metadata.filterMetadata["dev.lateen.service"]?
                .fields["external"]?.boolValue
        }
        #expect(isExternal("outbound|80||api.test") == true)
        #expect(isExternal("outbound|80||web.default.svc.cluster.local") == false)
    }

    // MARK: Connections

    private typealias TCP = Istio_Mixer_V1_Config_Client_TcpClientConfig

    /// The settings of network filters, by chain, and the filters of these chains in their order.
    private func connections(_ listener: Envoy_Config_Listener_V3_Listener) throws -> [(TCP, [String])] {
        let chains = listener.filterChains + (listener.hasDefaultFilterChain ? [listener.defaultFilterChain] : [])
        return try chains.compactMap { chain in
            guard let filter = chain.filters.first(where: { $0.name == "mixer" }) else { return nil }
            return (try TCP(unpackingAny: filter.typedConfig), chain.filters.map(\.name))
        }
    }

    @Test("Connections to a declared port are asked about, behind all other policies and before they are passed on")
    func inboundConnections() throws {
        var mesh = try self.mesh()
        try mesh.service("db", ip: "10.96.0.3", ports: ["tcp": 3306], endpoints: ["10.213.9.9": ["app": "db"]])
        try mesh.edit { snapshot in
            let id = ObjectID(namespace: "default", name: "deny")
            let rules = AuthorizationRules(
                source: ObjectReference(kind: "AuthorizationPolicy", id: id),
                selector: [:],
                action: .deny,
                rules: [.init()],
                isDryRun: false
            )
            snapshot.authorizationRules.append(rules)
            snapshot.quotas.append(
                QuotaBinding(
                    source: ObjectReference(kind: "QuotaSpecBinding", id: id),
                    createdAt: 1,
                    hosts: [try host("*")],
                    rules: [.init(matches: [], charges: ["connections": 1])]
                )
            )
        }
        let listeners = try mesh.resources(asksPolicyEngine: true).listeners
        let inbound = try #require(listeners.first { $0.name == "virtualInbound" })
        let found = try self.connections(inbound)
        let ports = found.compactMap { $0.0.mixerAttributes.attributes["destination.port"]?.int64Value }
        // Chains for the port's TLS, plain text and the application's own TLS; none for the proxy's own port.
        #expect(Set(ports) == [80, 3306])
        let (config, filters) = try #require(
            found.first {
                $0.0.mixerAttributes.attributes["destination.port"]?.int64Value == 3306
            }
        )
        #expect(filters == ["envoy.filters.network.rbac", "mixer", "envoy.filters.network.tcp_proxy"])
        #expect(config.transport.checkCluster == "outbound|9091||istio-policy.istio-system.svc.cluster.local")
        let attributes = config.mixerAttributes.attributes
        #expect(attributes["destination.service.name"]?.stringValue == "db")
        #expect(attributes["context.reporter.kind"]?.stringValue == "inbound")
        #expect(config.connectionQuotaSpec.rules.first?.quotas.first?.quota == "connections")
    }

    @Test("Connections that leave are asked about if clients are, but for those that lead nowhere")
    func outboundConnections() throws {
        var mesh = try self.mesh { $0.settings.policyEngine.checksClients = true }
        try mesh.service("db", ip: "10.96.0.3", ports: ["tcp": 3306])
        let resources = try mesh.resources(asksPolicyEngine: true)
        let listener = try #require(resources.listeners.first { $0.name.hasSuffix("_3306") })
        let (config, _) = try #require(try self.connections(listener).first)
        #expect(config.mixerAttributes.attributes.mapValues(\.stringValue) == ["context.reporter.kind": "outbound"])
        let entrance = try #require(resources.listeners.first { $0.name == "virtualOutbound" })
        #expect(try self.connections(entrance).isEmpty)
        try mesh.edit { snapshot in
            for name in ["*", "db.default.svc.cluster.local"] {
                snapshot.quotas.append(
                    QuotaBinding(
                        source: ObjectReference(kind: "QuotaSpecBinding", id: ObjectID(namespace: "n", name: name)),
                        createdAt: 1,
                        hosts: [try host(name)],
                        rules: [.init(matches: [], charges: ["connections": 1])]
                    )
                )
            }
        }
        let charged = try mesh.resources(asksPolicyEngine: true).listeners
        let database = try #require(charged.first { $0.name.hasSuffix("_3306") })
        let (settings, _) = try #require(try self.connections(database).first)
        // As for requests: those of services of the mesh are charged where they arrive.
        #expect(Set(settings.serviceConfigs.keys) == ["*"])
        #expect(settings.serviceConfigs["*"]?.quotaSpec.first?.rules.first?.quotas.first?.quota == "connections")
        let silent = try self.mesh().resources(asksPolicyEngine: true).listeners
        #expect(try silent.filter { $0.name != "virtualInbound" }.allSatisfy { try self.connections($0).isEmpty })
    }
}
