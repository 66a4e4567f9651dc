import MeshModel
import MeshPush
import Testing

@Suite struct PeerAuthenticatorTests {
    @Test("A proxy whose word and credentials agree is who it says")
    func agrees() throws {
        var proxy = try self.proxy()

        try proxy.authenticate(as: try self.peer("shop", "web"))

        #expect(proxy.isAuthenticated)
        #expect(proxy.serviceAccount == "web")
    }

    @Test("A proxy cannot be of another namespace than its credentials")
    func namespace() throws {
        var proxy = try self.proxy()

        #expect(throws: ImpersonationError.self) { try proxy.authenticate(as: try self.peer("bank", "web")) }
        #expect(!proxy.isAuthenticated)
    }

    @Test("A proxy cannot be of another service account, but need not say its own")
    func account() throws {
        var proxy = try self.proxy()
        proxy.serviceAccount = "admin"
        #expect(throws: ImpersonationError.self) { try proxy.authenticate(as: try self.peer("shop", "web")) }
        #expect(!proxy.isAuthenticated)

        proxy.serviceAccount = "web"
        try proxy.authenticate(as: try self.peer("shop", "web"))
        #expect(proxy.isAuthenticated)
    }

    private func proxy(_ role: ProxyKey.Role = .sidecar) throws -> ProxyKey {
        ProxyKey(
            role: role,
            address: try #require(IPAddress("10.213.1.1")),
            workload: ObjectID(namespace: "shop", name: "web-1"),
            dnsDomain: "shop.svc.cluster.local"
        )
    }

    private func peer(_ namespace: String, _ account: String, pod: String? = nil) throws -> ProvenPeer {
        let identity = WorkloadID(trustDomain: "cluster.local", namespace: namespace, serviceAccount: account)
        return ProvenPeer(identity: try #require(identity), pod: pod)
    }

    private func workload(_ name: String, _ account: String, in namespace: String = "shop") throws -> Workload {
        Workload(
            id: ObjectID(namespace: namespace, name: name),
            address: try #require(IPAddress("10.213.1.1")),
            labels: ["from": "cluster"],
            serviceAccount: account
        )
    }

    /// What becomes of a proxy of account `web` in a cluster that knows this workload.
    private func confirmed(
        _ workload: Workload?,
        as role: ProxyKey.Role = .sidecar,
        onNode: Bool = false
    ) throws -> [String: String] {
        var proxy = try self.proxy(role)
        proxy.labels = ["from": "node"]
        try proxy.authenticate(as: try self.peer("shop", "web"))
        var snapshot = MeshSnapshot()
        if let workload {
            if onNode {
                snapshot.nodeWorkloads[workload.id] = workload
            } else {
                snapshot.workloads[workload.address] = workload
            }
        }
        try proxy.confirm(in: snapshot)
        return proxy.labels
    }

    @Test("A token of one pod is none of another")
    func pod() throws {
        var proxy = try self.proxy()
        #expect(throws: ImpersonationError.self) { try proxy.authenticate(as: try self.peer("shop", "web", pod: "x")) }
        #expect(!proxy.isAuthenticated)

        try proxy.authenticate(as: try self.peer("shop", "web", pod: "web-1"))
        #expect(proxy.isAuthenticated)
    }

    @Test(
        "Labels are those that the cluster knows, at a gateway without exception",
        arguments: [ProxyKey.Role.sidecar, .router]
    )
    func labels(_ role: ProxyKey.Role) throws {
        let own = try self.workload("web-1", "web")
        #expect(try self.confirmed(own, as: role) == ["from": "cluster"])
        #expect(try self.confirmed(own, as: role, onNode: true) == ["from": "cluster"])
        for other in [try self.workload("web-2", "web"), try self.workload("web-1", "gateway")] {
            #expect(throws: ImpersonationError.self) { try self.confirmed(other, as: role) }
        }
        if role == .sidecar {
            #expect(try self.confirmed(nil) == ["from": "node"])
        } else {
            #expect(throws: ImpersonationError.self) { try self.confirmed(nil, as: role) }
        }
    }

    @Test("The entry of a machine has another name than the machine, and one of another namespace says nothing")
    func machines() throws {
        var entry = try self.workload("db-10.213.1.1", "web")
        entry.isMachine = true
        #expect(try self.confirmed(entry) == ["from": "cluster"])

        var foreign = try self.workload("db-10.213.1.1", "web", in: "bank")
        foreign.isMachine = true
        #expect(try self.confirmed(foreign) == ["from": "node"])
        #expect(throws: ImpersonationError.self) { try self.confirmed(foreign, as: .router) }
    }
}
