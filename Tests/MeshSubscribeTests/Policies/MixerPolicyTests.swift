import MeshModel
import Testing
import TrafficEngine

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
        for policy in try mesh.http() {
            if case .mixer(let mixer) = policy { return mixer }
        }
        return nil
    }

    @Test("A workload's requests are checked, with what is known of it")
    func checks() throws {
        let policy = try #require(try self.policy())
        #expect(policy.checkServer?.name == "outbound|9091||istio-policy.istio-system.svc.cluster.local")
        #expect(policy.reportServer == nil)
        #expect(!policy.failsOpen)
        #expect(policy.attributes["destination.uid"] == .text("kubernetes://web-1.shop"))
        #expect(policy.attributes["destination.service.host"] == .text("web.shop.svc.cluster.local"))
        #expect(policy.attributes["destination.port"] == .number(80))
        #expect(policy.attributes["destination.ip"] == .bytes([10, 213, 0, 1]))
        #expect(policy.quotas.isEmpty)
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
        let rule = try #require(policy.quotas.first)
        #expect(rule.charges == [QuotaCharge(quota: "requests", amount: 2)])
        #expect(rule.matches.first?.clauses.first?.attribute == "request.path")
    }
}
