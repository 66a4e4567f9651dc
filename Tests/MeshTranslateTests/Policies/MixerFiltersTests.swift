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
        #expect(found.place == ["mixer", "envoy.filters.http.router"])
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
}
