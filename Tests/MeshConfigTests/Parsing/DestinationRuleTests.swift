import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct DestinationRuleTests {
    @Test("Subsets, balancing and limits are read; settings of a port stand on their own")
    func wholeRule() throws {
        let mesh = try Mesh(
            Samples.policy(
                """
                {host: reviews, exportTo: ["."], trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN},
                   connectionPool: {tcp: {maxConnections: 100, connectTimeout: 30ms, idleTimeout: 1h},
                                    http: {http1MaxPendingRequests: 1, http2MaxRequests: 2, maxRequestsPerConnection: 3,
                                           idleTimeout: 5s}},
                   portLevelSettings: [{port: {number: 9080}, loadBalancer: {simple: RANDOM}}]},
                 subsets: [{name: v1, labels: {version: v1}},
                           {name: v2, labels: {version: v2}, trafficPolicy: {loadBalancer: {simple: LEAST_CONN}}}]}
                """
            )
        )
        let rule = try #require(mesh.snapshot.destinationPolicies.first)
        #expect(rule.host.text == "reviews.default.svc.cluster.local")
        #expect(rule.visibility == .namespaces(["default"]))
        #expect(rule.policy.loadBalancing == .roundRobin)
        #expect(rule.policy.connectionsMax == 100)
        #expect(rule.policy.connectTimeout == .milliseconds(30))
        #expect(rule.policy.tcpIdleTimeout == .seconds(3600))
        #expect(rule.policy.pendingRequestsMax == 1)
        #expect(rule.policy.requestsMax == 2)
        #expect(rule.policy.requestsPerConnectionMax == 3)
        #expect(rule.policy.httpIdleTimeout == .seconds(5))
        let port = try #require(Port(9080))
        #expect(rule.policy.ports[port]?.loadBalancing == .random)
        #expect(rule.policy.ports[port]?.connectionsMax == nil)
        #expect(rule.subsets.map(\.name) == ["v1", "v2"])
        #expect(rule.subsets[0].policy == nil)
        #expect(rule.subsets[1].policy?.loadBalancing == .leastRequest)
    }

    @Test(
        "A mistake leaves out the whole object and is named with its path",
        arguments: [
            ("{}", "spec.host: is needed"), ("{host: a..b}", "spec.host: `a..b`"),
            ("{host: a, subsets: [{}]}", "spec.subsets[0].name: is needed"),
            ("{host: a, subsets: [{name: x}, {name: x}]}", "spec.subsets[1].name: `x` stands here twice"),
            (
                "{host: a, trafficPolicy: {connectionPool: {tcp: {maxConnections: -1}}}}",
                "spec.trafficPolicy.connectionPool.tcp.maxConnections: must not be negative"
            ),
            (
                "{host: a, trafficPolicy: {portLevelSettings: [{}]}}",
                "spec.trafficPolicy.portLevelSettings[0].port.number: 0 is no port"
            ),
            ("{host: a, workloadSelector: {matchLabels: {a: b}}}", "spec.workloadSelector: is not supported yet"),
        ]
    )
    func mistakes(_ spec: String, _ expected: String) throws {
        let mesh = try Mesh(Samples.policy(spec))
        #expect(mesh.errors().contains { $0.hasPrefix(expected) }, "\(mesh.errors())")
        #expect(mesh.snapshot.destinationPolicies.isEmpty)
    }

    @Test("What is not supported yet is warned about by name")
    func unsupported() throws {
        let mesh = try Mesh(
            Samples.policy(
                """
                {host: a, trafficPolicy: {tls: {mode: SIMPLE}, outlierDetection: {},
                   loadBalancer: {consistentHash: {useSourceIp: true}}}}
                """
            )
        )
        #expect(
            mesh.snapshot.diagnoses.map(\.field) == [
                "spec.trafficPolicy.loadBalancer.consistentHash", "spec.trafficPolicy.outlierDetection",
                "spec.trafficPolicy.tls",
            ]
        )
        #expect(mesh.snapshot.destinationPolicies.count == 1)
    }
}
