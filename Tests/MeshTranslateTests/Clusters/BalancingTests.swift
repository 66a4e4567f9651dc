import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct BalancingTests {
    private static let web = "web.default.svc.cluster.local"

    @Test("Outlier detection ejects for what is asked, never by success rate, and never panics by itself")
    func outliers() throws {
        var outliers = OutlierDetection()
        outliers.consecutive5xxErrors = 0
        outliers.consecutiveGatewayErrors = 7
        outliers.splitsLocalOriginErrors = true
        outliers.consecutiveLocalOriginFailures = 3
        outliers.ejectionPercentMax = 40
        var policy = TrafficPolicy()
        policy.outlierDetection = outliers

        let cluster = try self.cluster(policy)

        let detection = cluster.outlierDetection
        #expect(detection.enforcingConsecutive5Xx.value == 0)
        #expect(detection.consecutiveGatewayFailure.value == 7)
        #expect(detection.enforcingConsecutiveGatewayFailure.value == 100)
        #expect(detection.consecutiveLocalOriginFailure.value == 3)
        #expect(detection.enforcingSuccessRate.value == 0 && detection.hasEnforcingSuccessRate)
        #expect(detection.maxEjectionPercent.value == 40)
        #expect(cluster.commonLbConfig.hasHealthyPanicThreshold)
        #expect(cluster.commonLbConfig.healthyPanicThreshold.value == 0)
    }

    @Test("Without numbers Envoy's defaults hold, and a share of healthy endpoints is the panic threshold")
    func outlierDefaults() throws {
        var outliers = OutlierDetection()
        outliers.healthyPercentMin = 30
        var policy = TrafficPolicy()
        policy.outlierDetection = outliers

        let cluster = try self.cluster(policy)

        #expect(!cluster.outlierDetection.hasConsecutive5Xx)
        #expect(!cluster.outlierDetection.hasEnforcingConsecutive5Xx)
        #expect(!cluster.outlierDetection.splitExternalLocalOriginErrors)
        #expect(cluster.outlierDetection.interval.seconds == 10)
        #expect(cluster.commonLbConfig.healthyPanicThreshold.value == 30)
        #expect(try !self.cluster(TrafficPolicy()).hasOutlierDetection)
        #expect(try !self.cluster(TrafficPolicy()).hasCommonLbConfig)
    }

    @Test("Equal keys stay together: a ring or Maglev in the cluster, the key in each route")
    func hashing() throws {
        var policy = TrafficPolicy()
        policy.loadBalancing = .consistentHash(
            ConsistentHash(key: .cookie(name: "user", path: "/", ttl: .zero), algorithm: .ring(sizeMin: 2048))
        )
        var mesh = try self.mesh()
        try mesh.policy(for: Self.web, policy)
        let resources = try mesh.resources()

        let cluster = try #require(resources.clusters.first { $0.name == "outbound|80||\(Self.web)" })
        #expect(cluster.lbPolicy == .ringHash)
        #expect(cluster.ringHashLbConfig.minimumRingSize.value == 2048)
        let routes = resources.routes.flatMap(\.virtualHosts).first { $0.name == "\(Self.web):80" }?.routes
        let hash = try #require(routes?.first?.route.hashPolicy)
        #expect(hash.map(\.cookie.name) == ["user"])
        // A life of no length is a cookie for the session.
        #expect(hash.map(\.cookie.hasTtl) == [true])

        policy.loadBalancing = .consistentHash(
            ConsistentHash(key: .header("x-user"), algorithm: .maglev(tableSize: 65537))
        )
        let maglev = try self.cluster(policy)
        #expect(maglev.lbPolicy == .maglev)
        #expect(maglev.maglevLbConfig.tableSize.value == 65537)
    }

    @Test("Weighted destinations of one key name it once")
    func hashingOnce() throws {
        var mesh = try self.mesh()
        var policy = TrafficPolicy()
        policy.loadBalancing = .consistentHash(ConsistentHash(key: .sourceAddress))
        try mesh.policy(
            for: Self.web,
            policy,
            subsets: ["a", "b"].map { DestinationPolicy.Subset(name: $0, labels: ["version": $0]) }
        )
        let web = try host(Self.web)
        let shares = ["a", "b"].map { RouteDestination(host: web, subset: $0, weight: 50) }
        try mesh.rules(for: Self.web, http: [HTTPRouteRule(action: .forward(shares))])

        let routes = try mesh.resources().routes.flatMap(\.virtualHosts).first { $0.name == "\(Self.web):80" }?.routes

        #expect(routes?.first?.route.hashPolicy.map(\.connectionProperties.sourceIp) == [true])
    }

    @Test("Near endpoints come first only where outlier detection tells when they fail")
    func failOver() throws {
        var mesh = try self.mesh()
        let here = Locality(region: "eu", zone: "1", subzone: "a")
        #expect(try self.priorities(mesh, here) == [0: ["eu/1/a", "eu/1/b", "eu/2/", "us/1/", "asia/1/"].sorted()])

        var policy = TrafficPolicy()
        policy.outlierDetection = OutlierDetection()
        try mesh.policy(for: Self.web, policy)
        #expect(
            try self.priorities(mesh, here) == [
                0: ["eu/1/a"], 1: ["eu/1/b"], 2: ["eu/2/"], 3: ["asia/1/", "us/1/"],
            ]
        )
        // A proxy whose place nobody knows likes all the same.
        #expect(try self.priorities(mesh, Locality()).count == 1)
    }

    @Test("Where a region fails over to is named, and priorities have no gaps")
    func failOverTo() throws {
        var mesh = try self.mesh()
        var policy = TrafficPolicy()
        policy.outlierDetection = OutlierDetection()
        policy.locality = LocalityPolicy()
        policy.locality?.failOvers = [LocalityPolicy.FailOver(from: "africa", to: "us")]
        try mesh.policy(for: Self.web, policy)

        #expect(
            try self.priorities(mesh, Locality(region: "africa", zone: "1")) == [
                0: ["us/1/"], 1: ["asia/1/", "eu/1/a", "eu/1/b", "eu/2/"],
            ]
        )

        mesh.edit { $0.destinationPolicies[0].policy.locality?.isEnabled = false }
        #expect(try self.priorities(mesh, Locality(region: "africa", zone: "1")).count == 1)
    }

    @Test("Labels rank endpoints up to the first that differs")
    func failOverLabels() throws {
        var mesh = try self.mesh()
        var policy = TrafficPolicy()
        policy.outlierDetection = OutlierDetection()
        policy.locality = LocalityPolicy()
        policy.locality?.failOverLabels = ["topology.kubernetes.io/region", "version=v2", "app"]
        try mesh.policy(for: Self.web, policy)

        let assignment = try self.assignment(mesh, Locality(region: "eu"), labels: ["app": "web"])

        var found: [UInt32: [String]] = [:]
        for group in assignment.endpoints {
            found[group.priority, default: []] += group.lbEndpoints.map(\.endpoint.address.socketAddress.address)
        }
        #expect(
            found.mapValues { $0.sorted() } == [
                0: ["10.1.0.2"], 1: ["10.1.0.1", "10.1.0.3"], 2: ["10.1.0.4", "10.1.0.5"],
            ]
        )
    }

    @Test("A distribution gives shares, splits a wildcard's by weight, and leaves out who gets none")
    func distribution() throws {
        var mesh = try self.mesh()
        var policy = TrafficPolicy()
        policy.locality = LocalityPolicy()
        policy.locality?.distributions = [
            LocalityPolicy.Distribution(from: "us/*", to: ["asia/*": 1]),
            LocalityPolicy.Distribution(from: "eu/1/*", to: ["eu/1/*": 80, "us/1": 20]),
        ]
        try mesh.policy(for: Self.web, policy)

        let assignment = try self.assignment(mesh, Locality(region: "eu", zone: "1", subzone: "x"))

        let shares = assignment.endpoints.map {
            ("\($0.locality.zone)\($0.locality.subZone)", $0.loadBalancingWeight.value)
        }
        #expect(Dictionary(uniqueKeysWithValues: shares) == ["1a": 4000, "1b": 4000, "1": 2000])
        #expect(Set(assignment.endpoints.map(\.priority)) == [0])
        let cluster = try #require(
            try mesh.resources(locality: Locality(region: "eu", zone: "1")).clusters.first {
                $0.name == "outbound|80||\(Self.web)"
            }
        )
        #expect(cluster.commonLbConfig.localityConfigSpecifier == .localityWeightedLbConfig(.init()))
    }

    @Test("The order of endpoints does not matter")
    func order() throws {
        var mesh = try self.mesh()
        let first = try self.assignment(mesh, Locality(region: "eu"))

        mesh.edit { snapshot in snapshot.endpoints[ServiceKey(snapshot.services[0])]?.reverse() }

        #expect(try self.assignment(mesh, Locality(region: "eu")) == first)
    }

    /// Five endpoints in five places, 10.1.0.1 to 10.1.0.5.
    private func mesh() throws -> MeshBuilder {
        var mesh = MeshBuilder()
        let places = ["eu/1/a", "eu/1/b", "eu/2/", "us/1/", "asia/1/"]
        try mesh.service(
            "web",
            ip: "10.214.0.5",
            ports: ["http": 80],
            endpoints: Dictionary(
                uniqueKeysWithValues: (1...5).map { ("10.1.0.\($0)", ["app": "web", "version": "v\($0)"]) }
            )
        )
        mesh.edit { snapshot in
            let key = ServiceKey(snapshot.services[0])
            for (index, place) in places.enumerated() {
                let parts = place.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
                snapshot.endpoints[key]?[index].locality = Locality(
                    region: parts[0],
                    zone: parts[1],
                    subzone: parts[2]
                )
            }
        }
        return mesh
    }

    @Test("A service whose pods may all be away says in its clusters' metadata whom to wake; others say nothing")
    func activation() throws {
        var mesh = try self.mesh()
        let name = "outbound|80||\(Self.web)"
        #expect(try mesh.resources().clusters.first { $0.name == name }?.hasMetadata == false)

        let revision = RevisionActivation(
            revision: ObjectID(namespace: "default", name: "web-00001"),
            concurrencyMax: 20
        )
        mesh.holds(revision, for: "web")
        let cluster = try #require(try mesh.resources().clusters.first { $0.name == name })
        let fields = cluster.metadata.filterMetadata["dev.lateen.activation"]?.fields
        #expect(fields?["namespace"]?.stringValue == "default")
        #expect(fields?["revision"]?.stringValue == "web-00001")
        #expect(fields?["concurrency"]?.numberValue == 20)
        #expect(fields?["probe"] == nil)
    }

    @Test(
        "The proxy of a revision's pod is told whose requests it counts, and who reports them; one that cannot is not"
    )
    func ownPod() throws {
        var mesh = MeshBuilder()
        try mesh.service(
            "hello",
            ip: "10.214.0.60",
            ports: ["http": 8080, "tcp": 9000],
            endpoints: ["10.213.1.60": [:], "10.213.1.61": [:]]
        )
        try mesh.service("activator", ip: "10.214.0.61", ports: ["http": 80], endpoints: ["10.213.1.70": [:]])
        mesh.reports("activator")
        let revision = RevisionActivation(
            revision: ObjectID(namespace: "default", name: "hello-00001"),
            concurrencyMax: 5,
            side: .pod
        )
        try mesh.pod("hello", at: "10.213.1.60", of: revision)
        try mesh.pod("hello", at: "10.213.1.61", of: nil)
        func told(_ address: String, holdsRequests: Bool = true) throws -> [String: Envoy_Config_Core_V3_Metadata] {
            let resources = try mesh.resources(
                pod: "hello-\(address)",
                address: address,
                holdsRequests: holdsRequests
            )
            return Dictionary(
                uniqueKeysWithValues: resources.clusters.filter(\.hasMetadata).map { ($0.name, $0.metadata) }
            )
        }

        let all = try told("10.213.1.60")
        let activator = "outbound|80||activator.default.svc.cluster.local"
        #expect(all.keys.sorted() == ["inbound|8080||", activator])
        let fields = all["inbound|8080||"]?.filterMetadata["dev.lateen.pod"]?.fields
        #expect(fields?["revision"]?.stringValue == "hello-00001")
        #expect(fields?["concurrency"]?.numberValue == 5)
        // Proxies that know nothing of this would take it for a service of which no pod is known.
        #expect(all["inbound|8080||"]?.filterMetadata["dev.lateen.activation"] == nil)
        #expect(all[activator]?.filterMetadata["dev.lateen.reporter"] != nil)
        #expect(try told("10.213.1.61").keys.sorted() == [activator])
        #expect(try told("10.213.1.60", holdsRequests: false).keys.sorted() == [activator])
    }

    @Test("Pods that start are told to proxies that ask them, as not healthy, unless a sidecar takes all connections")
    func startingPods() throws {
        func statuses(
            asksPods: Bool,
            hasMeshIdentity: Bool = false,
            holdsRequests: Bool = true
        ) throws -> [Envoy_Config_Core_V3_HealthStatus] {
            var mesh = try self.mesh()
            let revision = RevisionActivation(
                revision: ObjectID(namespace: "default", name: "web-00001"),
                concurrencyMax: 20,
                asksPods: asksPods
            )
            mesh.holds(revision, for: "web")
            mesh.startsPod(hasMeshIdentity: hasMeshIdentity)
            let resources = try mesh.resources(holdsRequests: holdsRequests)
            let name = "outbound|80||\(Self.web)"
            let cluster = try #require(resources.clusters.first { $0.name == name })
            #expect(cluster.commonLbConfig.hasHealthyPanicThreshold == (asksPods && holdsRequests))
            let assignment = try #require(resources.endpoints.first { $0.clusterName == name })
            return assignment.endpoints.flatMap(\.lbEndpoints).map(\.healthStatus)
        }

        #expect(try statuses(asksPods: true) == [.unhealthy])
        #expect(try statuses(asksPods: true, hasMeshIdentity: true) == [])
        #expect(try statuses(asksPods: false) == [])
        #expect(try statuses(asksPods: true, holdsRequests: false) == [])
    }

    private func cluster(_ policy: TrafficPolicy) throws -> Envoy_Config_Cluster_V3_Cluster {
        var mesh = try self.mesh()
        try mesh.policy(for: Self.web, policy)
        return try #require(try mesh.resources().clusters.first { $0.name == "outbound|80||\(Self.web)" })
    }

    private func assignment(
        _ mesh: MeshBuilder,
        _ locality: Locality,
        labels: [String: String] = [:]
    ) throws -> Envoy_Config_Endpoint_V3_ClusterLoadAssignment {
        let resources = try mesh.resources(labels: labels, locality: locality)
        return try #require(resources.endpoints.first { $0.clusterName == "outbound|80||\(Self.web)" })
    }

    private func priorities(_ mesh: MeshBuilder, _ locality: Locality) throws -> [UInt32: [String]] {
        var found: [UInt32: [String]] = [:]
        for group in try self.assignment(mesh, locality).endpoints {
            let place = "\(group.locality.region)/\(group.locality.zone)/\(group.locality.subZone)"
            found[group.priority, default: []].append(place)
        }
        return found.mapValues { $0.sorted() }
    }
}
