import MeshModel
import MeshPush
import Testing

@Suite struct PeerAuthenticatorTests {
    @Test("A proxy whose word and credentials agree is who it says")
    func agrees() throws {
        var proxy = try self.proxy()

        try proxy.authenticate(as: try self.identity("shop", "web"))

        #expect(proxy.isAuthenticated)
        #expect(proxy.serviceAccount == "web")
    }

    @Test("A proxy cannot be of another namespace than its credentials")
    func namespace() throws {
        var proxy = try self.proxy()

        #expect(throws: ImpersonationError.self) { try proxy.authenticate(as: try self.identity("bank", "web")) }
        #expect(!proxy.isAuthenticated)
    }

    @Test("A proxy cannot be of another service account, but need not say its own")
    func account() throws {
        var proxy = try self.proxy()
        proxy.serviceAccount = "admin"
        #expect(throws: ImpersonationError.self) { try proxy.authenticate(as: try self.identity("shop", "web")) }
        #expect(!proxy.isAuthenticated)

        proxy.serviceAccount = "web"
        try proxy.authenticate(as: try self.identity("shop", "web"))
        #expect(proxy.isAuthenticated)
    }

    private func proxy() throws -> ProxyKey {
        ProxyKey(
            role: .sidecar,
            address: try #require(IPAddress("10.213.1.1")),
            workload: ObjectID(namespace: "shop", name: "web-1"),
            dnsDomain: "shop.svc.cluster.local"
        )
    }

    private func identity(_ namespace: String, _ account: String) throws -> WorkloadID {
        try #require(WorkloadID(trustDomain: "cluster.local", namespace: namespace, serviceAccount: account))
    }
}
