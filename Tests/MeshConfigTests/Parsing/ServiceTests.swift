import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct ServiceTests {
    private func service(_ spec: String, annotations: String = "{}") -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: s, namespace: shop, annotations: \(annotations)}
        spec: \(spec)
        """
    }

    @Test("A Service has its name, its addresses, its ports and its selector")
    func clusterIP() throws {
        let mesh = try Mesh(
            self.service(
                """
                {clusterIP: 10.214.0.9, clusterIPs: [10.214.0.9, "fd00::9"], selector: {app: s},
                 ports: [{name: http-web, port: 80}, {name: db, port: 3306}, {name: q, port: 81, appProtocol: grpc},
                         {name: dns, port: 53, protocol: UDP}, {name: x, port: 82}]}
                """
            )
        )
        let service = try #require(mesh.snapshot.services.first)
        #expect(service.host.text == "s.shop.svc.cluster.local")
        #expect(service.addresses.map(\.description) == ["10.214.0.9/32", "fd00::9/128"])
        #expect(service.ports.map(\.applicationProtocol) == [.http, .tcp, .grpc, .udp, .unknown])
        #expect(service.selector == ["app": "s"])
        #expect(service.isKubernetes)
        #expect(!service.isExternal)
    }

    @Test("A revision's Service says whose pods it leads to; what cannot be is told and left out")
    func activation() throws {
        func mesh(_ concurrency: String) throws -> Mesh {
            let pair = "activation.lateen.dev/revision: s-1, activation.lateen.dev/concurrency: '\(concurrency)'"
            let spec = "{clusterIP: 10.214.0.9, ports: [{port: 80}]}"
            return try Mesh(self.service(spec, annotations: "{\(pair)}"))
        }
        #expect(
            try mesh("5").snapshot.services.first?.activation
                == RevisionActivation(revision: ObjectID(namespace: "shop", name: "s-1"), concurrencyMax: 5)
        )
        let asking = try mesh("5', activation.lateen.dev/probe: 'connect")
        #expect(asking.snapshot.services.first?.activation?.asksPods == true)
        let other = try mesh("5', activation.lateen.dev/probe: 'http")
        #expect(other.snapshot.services.first?.activation?.asksPods == false)
        let wrong = try mesh("many")
        #expect(wrong.snapshot.services.first?.activation == nil)
        #expect(wrong.snapshot.services.count == 1)
    }

    @Test("An activator's Service says that its pods report what they pass on")
    func reporter() throws {
        func mesh(_ text: String) throws -> Mesh {
            let spec = "{clusterIP: 10.214.0.9, ports: [{port: 80}]}"
            return try Mesh(self.service(spec, annotations: "{activation.lateen.dev/reporter: '\(text)'}"))
        }
        #expect(try mesh("true").snapshot.services.first?.isReporter == true)
        #expect(try mesh("false").snapshot.services.first?.isReporter == false)
        let wrong = try mesh("yes")
        #expect(wrong.snapshot.services.first?.isReporter == false)
        #expect(wrong.warnings().count == 1)
    }

    @Test("A headless Service has no address")
    func headless() throws {
        let mesh = try Mesh(self.service("{clusterIP: None, ports: [{port: 80}]}"))
        #expect(mesh.snapshot.services.first?.isHeadless == true)
        #expect(mesh.snapshot.services.first?.addresses == [])
    }

    @Test("A Service whose address is on its way is not there yet")
    func pendingAddress() throws {
        #expect(try Mesh(self.service("{ports: [{port: 80}]}")).snapshot.services.isEmpty)
    }

    @Test("An ExternalName is looked up by the proxy")
    func externalName() throws {
        let mesh = try Mesh(
            self.service("{type: ExternalName, externalName: www.outside.test, ports: [{name: http, port: 80}]}")
        )
        #expect(mesh.snapshot.services.first?.resolution == .dns(roundRobin: false))
        let endpoint = mesh.endpoints("s.shop.svc.cluster.local").first
        #expect(endpoint?.address == .name(try #require(HostName("www.outside.test"))))
    }

    @Test("An ExternalName that is an address or nonsense is refused", arguments: ["10.0.0.1", "a..b", ""])
    func badExternalName(_ name: String) throws {
        let mesh = try Mesh(self.service("{type: ExternalName, externalName: \"\(name)\", ports: [{port: 80}]}"))
        #expect(mesh.snapshot.services.isEmpty)
        #expect(mesh.errors().first?.hasPrefix("spec.externalName") == true)
    }

    @Test("An annotation limits who may see a Service")
    func visibility() throws {
        let mesh = try Mesh(
            self.service(
                "{clusterIP: 10.214.0.9, ports: [{port: 80}]}",
                annotations: "{networking.istio.io/exportTo: \"., other\"}"
            )
        )
        #expect(mesh.snapshot.services.first?.visibility == .namespaces(["shop", "other"]))
    }
}
