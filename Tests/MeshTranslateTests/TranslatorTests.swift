import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct TranslatorTests {
    @Test("Equal input gives equal output, byte for byte")
    func isDeterministic() throws {
        let mesh = try GoldenTests.bookinfoMesh()

        let first = try mesh.resources()
        let second = try mesh.resources()

        #expect(try first.listeners.map { try $0.serializedData() } == second.listeners.map { try $0.serializedData() })
        #expect(first == second)
    }

    @Test("Endpoints alone are those of the whole translation")
    func endpointsAlone() throws {
        let mesh = try GoldenTests.bookinfoMesh()
        let reviews = mesh.snapshot.services[0]
        let proxy = ProxyKey(
            role: .sidecar,
            address: try address("10.213.9.9"),
            workload: ObjectID(namespace: "default", name: "client"),
            dnsDomain: "default.svc.cluster.local"
        )

        let some = Translator.endpoints(
            of: [ServiceKey(reviews)],
            for: OutboundKey(proxy, labels: []),
            in: mesh.snapshot
        )

        let all = Translator.resources(of: proxy, in: mesh.snapshot).endpoints
        #expect(some == all.filter { $0.clusterName.hasSuffix(reviews.host.text) })
        #expect(some.count == 1)
    }

    @Test("Proxies are told apart only by labels that some rule asks for")
    func clientLabels() throws {
        var mesh = try GoldenTests.bookinfoMesh()
        let details = try host("details.default.svc.cluster.local")
        var match = RequestMatch()
        match.sourceLabels = ["app": "reviews"]
        var rule = HTTPRouteRule(action: .respond(status: 403, body: nil))
        rule.matches = [match]
        try mesh.rules(for: details.text, http: [rule])

        #expect(Translator.clientLabels(in: mesh.snapshot) == ["app"])
        let reviews = try mesh.resources(labels: ["app": "reviews", "pod-template-hash": "1"])
        let other = try mesh.resources(labels: ["app": "other"])
        #expect(reviews == (try mesh.resources(labels: ["app": "reviews", "pod-template-hash": "2"])))
        #expect(reviews.routes != other.routes)
    }

    @Test("What is exported elsewhere only does not exist")
    func visibility() throws {
        var mesh = MeshBuilder()
        try mesh.entry(
            "secret.outside.test",
            namespace: "bank",
            addresses: ["10.215.0.9"],
            port: 3306,
            .tcp,
            visibility: .namespaces(["bank"])
        )

        let outside = try mesh.resources(namespace: "default")
        let inside = try mesh.resources(namespace: "bank")

        #expect(!outside.clusters.contains { $0.name.contains("secret") })
        #expect(!outside.listeners.contains { $0.name == "0.0.0.0_3306" })
        #expect(inside.clusters.contains { $0.name == "outbound|3306||secret.outside.test" })
    }

    @Test("A Kubernetes Service wins over a ServiceEntry for its host, however young it is")
    func kubernetesWins() throws {
        var mesh = MeshBuilder()
        try mesh.entry(
            "web.default.svc.cluster.local",
            addresses: ["10.215.0.66"],
            port: 80,
            .tcp,
            resolution: .endpoints
        )
        try mesh.service("web", ip: "10.214.0.80", ports: ["http": 80])

        let resources = try mesh.resources()

        #expect(resources.nameTable.table["web.default.svc.cluster.local"]?.ips == ["10.214.0.80"])
        #expect(!resources.listeners.contains { $0.name == "10.215.0.66_80" })
    }

    @Test("Two entries on one port are told apart by address; of one block the older keeps it")
    func entriesOnOnePort() throws {
        var mesh = MeshBuilder()
        try mesh.entry("one.outside.test", addresses: ["10.215.0.10/32"], port: 3306, .tcp)
        try mesh.entry("two.outside.test", addresses: ["10.215.0.11/32"], port: 3306, .tcp)
        try mesh.entry("late.outside.test", addresses: ["10.215.0.10/32"], port: 3306, .tcp)

        let listener = try #require(try mesh.resources().listeners.first { $0.name == "0.0.0.0_3306" })

        let chains = listener.filterChains.map { chain in
            "\(chain.filterChainMatch.prefixRanges.map(\.addressPrefix)) \(chain.name)"
        }
        #expect(
            chains == [
                #"["10.215.0.10"] outbound|3306||one.outside.test"#,
                #"["10.215.0.11"] outbound|3306||two.outside.test"#,
            ]
        )
    }

    @Test("A rule may name a subset that does not exist: the route is there, the cluster is not")
    func unknownSubset() throws {
        var mesh = try GoldenTests.bookinfoMesh()
        let details = try host("details.default.svc.cluster.local")
        try mesh.rules(
            for: details.text,
            http: [HTTPRouteRule(action: .forward([RouteDestination(host: details, subset: "v9")]))]
        )

        let resources = try mesh.resources()

        let name = "outbound|9080|v9|details.default.svc.cluster.local"
        let hosts = resources.routes.first { $0.name == "9080" }?.virtualHosts ?? []
        #expect(hosts.contains { $0.routes.first?.route.cluster == name })
        #expect(!resources.clusters.contains { $0.name == name })
    }

    @Test("Access lines go where the settings say, and those of bytes name what was dialled")
    func accessLog() throws {
        let mesh = MeshBuilder(accessLogFile: "/dev/stdout")

        let entrance = try #require(try mesh.resources().listeners.first { $0.name == "virtualOutbound" })

        let filter = try #require(entrance.defaultFilterChain.filters.first)
        let proxy = try Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy(unpackingAny: filter.typedConfig)
        let log = try #require(proxy.accessLog.first)
        let file = try Envoy_Extensions_AccessLoggers_File_V3_FileAccessLog(unpackingAny: log.typedConfig)
        #expect(proxy.cluster == "BlackHoleCluster")
        #expect(file.path == "/dev/stdout")
        #expect(file.logFormat.textFormatSource.inlineString.contains("%DOWNSTREAM_LOCAL_ADDRESS%"))
        #expect(file.logFormat.textFormatSource.inlineString.hasSuffix("\n"))
    }
}
