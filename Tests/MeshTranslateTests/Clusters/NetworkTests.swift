import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

/// A proxy's view of endpoints that are on another network.
@Suite struct NetworkTests {
    private static let host = "reviews.default.svc.cluster.local"

    private func endpoint(_ text: String, network: String = "", isOfMesh: Bool = true) throws -> Endpoint {
        var endpoint = Endpoint(
            address: .ip(try #require(IPAddress(text))),
            port: try #require(Port(8080)),
            servicePortName: "http",
            workload: ObjectID(namespace: "default", name: text),
            serviceAccount: "reviews"
        )
        endpoint.hasMeshIdentity = isOfMesh
        endpoint.network = network
        endpoint.cluster = network == "main" || network.isEmpty ? "" : network
        endpoint.locality = Locality(region: network.isEmpty ? "main" : network)
        return endpoint
    }

    private func snapshot(_ endpoints: [Endpoint], gateways: [String: [String]]) throws -> MeshSnapshot {
        var snapshot = MeshSnapshot()
        let service = Service(
            host: try #require(HostName(Self.host)),
            addresses: [CIDR(try #require(IPAddress("10.214.0.7")))],
            ports: [ServicePort(name: "http", port: try #require(Port(80)), applicationProtocol: .http)],
            source: ObjectReference(kind: "Service", id: ObjectID(namespace: "default", name: "reviews"))
        )
        snapshot.network = "main"
        snapshot.services = [service]
        snapshot.endpoints[ServiceKey(service)] = endpoints
        let port = try #require(Port(15443))
        snapshot.networkGateways = gateways.mapValues { texts in
            texts.compactMap { IPAddress($0) }.map { NetworkGateway(address: $0, port: port) }
        }
        return snapshot
    }

    private func resources(_ snapshot: MeshSnapshot, role: ProxyKey.Role = .sidecar) throws -> ProxyResources {
        var proxy = ProxyKey(
            role: role,
            address: try #require(IPAddress("10.213.9.9")),
            workload: ObjectID(namespace: "default", name: "sleep"),
            dnsDomain: "default.svc.cluster.local",
            labels: ["istio": "eastwestgateway"]
        )
        proxy.locality = Locality(region: "main")
        return Translator.resources(of: proxy, in: snapshot)
    }

    /// `ADDRESS:PORT*WEIGHT`, with the priority in front and a mark for mutual TLS behind.
    private func members(_ resources: ProxyResources, of cluster: String = "outbound|80||\(Self.host)") -> [String] {
        resources.endpoints.first { $0.clusterName == cluster }?.endpoints.flatMap { group in
            group.lbEndpoints.map { member in
                let address = member.endpoint.address.socketAddress
                let mark = member.metadata.filterMetadata.isEmpty ? "" : " tls"
                return "\(group.priority) \(address.address):\(address.portValue)*\(member.loadBalancingWeight.value)"
                    + mark
            }
        } ?? []
    }

    @Test("Endpoints on another network are its gateway, with mutual TLS and the weight of all of them")
    func replaced() throws {
        let snapshot = try self.snapshot(
            [
                self.endpoint("10.213.1.5"), self.endpoint("10.217.1.5", network: "west"),
                self.endpoint("10.217.1.6", network: "west"),
            ],
            gateways: ["west": ["10.216.2.1"]]
        )

        let resources = try self.resources(snapshot)

        #expect(self.members(resources) == ["0 10.213.1.5:8080*1 tls", "0 10.216.2.1:15443*2 tls"])
    }

    @Test("Weights that together are more than a proxy takes are made smaller, and keep their proportion")
    func greatWeights() throws {
        func weighted(_ text: String, _ weight: UInt32, network: String = "") throws -> Endpoint {
            var endpoint = try self.endpoint(text, network: network)
            endpoint.weight = weight
            return endpoint
        }
        let snapshot = try self.snapshot(
            [
                weighted("10.213.1.5", 1), weighted("10.213.1.6", 2_000_000_000),
                weighted("10.217.1.5", 4_000_000_000, network: "west"),
                weighted("10.217.1.6", 4_000_000_000, network: "west"),
            ],
            gateways: ["west": ["10.216.2.1", "10.216.2.2"]]
        )

        let groups = try self.resources(snapshot).endpoints.first { $0.clusterName == "outbound|80||\(Self.host)" }

        let members = (groups?.endpoints ?? []).flatMap(\.lbEndpoints).sorted {
            $0.endpoint.address.socketAddress.address < $1.endpoint.address.socketAddress.address
        }
        let weights = members.map { UInt64($0.loadBalancingWeight.value) }
        try #require(weights.count == 4)
        #expect(weights[0] == 1)
        #expect(weights.reduce(0, +) <= UInt64(UInt32.max))
        #expect(abs(Double(weights[2]) / Double(weights[1]) - 2) < 0.001 && weights[2] == weights[3])
    }

    @Test("Two gateways share the weight of what is behind them, and all weights stay whole")
    func shared() throws {
        let snapshot = try self.snapshot(
            [self.endpoint("10.213.1.5"), self.endpoint("10.217.1.5", network: "west")],
            gateways: ["west": ["10.216.2.1", "10.216.2.2"]]
        )

        let members = self.members(try self.resources(snapshot))

        #expect(members == ["0 10.213.1.5:8080*2 tls", "0 10.216.2.1:15443*1 tls", "0 10.216.2.2:15443*1 tls"])
    }

    @Test("The server name that the gateway reads is the service's, and the peer must be one of its accounts")
    func serverName() throws {
        let snapshot = try self.snapshot(
            [self.endpoint("10.217.1.5", network: "west")],
            gateways: ["west": ["10.216.2.1"]]
        )

        let cluster = try #require(try self.resources(snapshot).clusters.first { $0.name.hasPrefix("outbound|80") })

        let socket = try #require(cluster.transportSocketMatches.first?.transportSocket)
        let context = try Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext(
            serializedBytes: socket.typedConfig.value
        )
        #expect(context.sni == "outbound_.80_._.\(Self.host)")
        let names = context.commonTlsContext.combinedValidationContext.defaultValidationContext
            .matchTypedSubjectAltNames
        #expect(names.map(\.matcher.exact) == ["spiffe://cluster.local/ns/default/sa/reviews"])
    }

    @Test("What a gateway cannot lead to is left out: endpoints without an identity, and networks without a gateway")
    func outOfReach() throws {
        let plain = try self.snapshot(
            [self.endpoint("10.217.1.5", network: "west", isOfMesh: false)],
            gateways: ["west": ["10.216.2.1"]]
        )
        let closed = try self.snapshot([self.endpoint("10.217.1.5", network: "west")], gateways: [:])

        #expect(self.members(try self.resources(plain)) == [])
        #expect(self.members(try self.resources(closed)) == [])
    }

    @Test("A rule that forbids mutual TLS keeps traffic on its own network")
    func disabled() throws {
        var snapshot = try self.snapshot(
            [self.endpoint("10.213.1.5"), self.endpoint("10.217.1.5", network: "west")],
            gateways: ["west": ["10.216.2.1"]]
        )
        var policy = DestinationPolicy(
            source: ObjectReference(kind: "DestinationRule", id: ObjectID(namespace: "default", name: "d")),
            host: try #require(HostName(Self.host))
        )
        policy.policy.tls = ClientTLSSettings(mode: .disable)
        snapshot.destinationPolicies = [policy]

        #expect(self.members(try self.resources(snapshot)) == ["0 10.213.1.5:8080*1"])
    }

    @Test("With outlier detection the other network is second choice, and first when nobody else is there")
    func failOver() throws {
        func members(_ endpoints: [Endpoint]) throws -> [String] {
            var snapshot = try self.snapshot(endpoints, gateways: ["west": ["10.216.2.1"]])
            var policy = DestinationPolicy(
                source: ObjectReference(kind: "DestinationRule", id: ObjectID(namespace: "default", name: "d")),
                host: try #require(HostName(Self.host))
            )
            policy.policy.outlierDetection = OutlierDetection()
            snapshot.destinationPolicies = [policy]
            return self.members(try self.resources(snapshot))
        }
        let near = try self.endpoint("10.213.1.5")
        let far = try self.endpoint("10.217.1.5", network: "west")

        #expect(try members([near, far]) == ["0 10.213.1.5:8080*1 tls", "1 10.216.2.1:15443*1 tls"])
        #expect(try members([far]) == ["0 10.216.2.1:15443*1 tls"])
    }

    @Test(
        "A gateway between networks leads to endpoints of its own alone: what came from outside does not go out again"
    )
    func gateway() throws {
        var snapshot = try self.snapshot(
            [self.endpoint("10.213.1.5"), self.endpoint("10.217.1.5", network: "west")],
            gateways: ["west": ["10.216.2.1"], "main": ["10.216.1.1"]]
        )
        snapshot.gateways = try GatewayMesh(
            nil,
            """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: cross-network, namespace: istio-system}
            spec:
              selector: {istio: eastwestgateway}
              servers:
              - port: {number: 15443, name: tls, protocol: TLS}
                tls: {mode: AUTO_PASSTHROUGH}
                hosts: ["*.local"]
            """
        ).snapshot.gateways

        let resources = try self.resources(snapshot, role: .router)

        let name = "outbound_.80_._.\(Self.host)"
        #expect(resources.clusters.contains { $0.name == name })
        #expect(self.members(resources, of: name) == ["0 10.213.1.5:8080*1"])
    }
}
