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
                {host: a, trafficPolicy: {tunnel: {targetHost: x, targetPort: 1}, proxyProtocol: {},
                   loadBalancer: {simple: RANDOM, warmup: {duration: 1s}}}}
                """
            )
        )
        #expect(
            mesh.snapshot.diagnoses.map(\.field) == [
                "spec.trafficPolicy.loadBalancer.warmup", "spec.trafficPolicy.proxyProtocol",
                "spec.trafficPolicy.tunnel",
            ]
        )
        #expect(mesh.snapshot.destinationPolicies.count == 1)
    }

    @Test("Limits on retries are read: a number, and a budget with its defaults")
    func retries() throws {
        func read(_ spec: String) throws -> TrafficPolicy? {
            try Mesh(Samples.policy("{host: a, trafficPolicy: \(spec)}")).snapshot.destinationPolicies.first?.policy
        }
        #expect(try read("{connectionPool: {http: {maxRetries: 7}}}")?.retriesMax == 7)
        #expect(try read("{retryBudget: {}}")?.retryBudget == RetryBudget(percent: 20, concurrencyMin: 3))
        let written = try read("{retryBudget: {percent: 12.5, minRetryConcurrency: 9}}")
        #expect(written?.retryBudget == RetryBudget(percent: 12.5, concurrencyMin: 9))
        #expect(try read("{retryBudget: {percent: 100.5}}") == nil)
    }

    @Test("Outliers are read, the old spelling too; unset fields are Istio's defaults")
    func outliers() throws {
        func read(_ spec: String) throws -> OutlierDetection? {
            try Mesh(Samples.policy("{host: a, trafficPolicy: {outlierDetection: \(spec)}}"))
                .snapshot.destinationPolicies.first?.policy.outlierDetection
        }
        #expect(try read("{}") == OutlierDetection())
        let all = try #require(
            try read(
                """
                {consecutive5xxErrors: 0, consecutiveGatewayErrors: 3, consecutiveLocalOriginFailures: 4, interval: 5m,
                 splitExternalLocalOriginErrors: true, baseEjectionTime: 15s, maxEjectionPercent: 100, minHealthPercent: 50}
                """
            )
        )
        #expect(all.consecutive5xxErrors == 0 && all.consecutiveGatewayErrors == 3)
        #expect(all.consecutiveLocalOriginFailures == 4 && all.splitsLocalOriginErrors)
        #expect(all.interval == .seconds(300) && all.baseEjectionTime == .seconds(15))
        #expect(all.ejectionPercentMax == 100 && all.healthyPercentMin == 50)
        #expect(try read("{consecutiveErrors: 7}")?.consecutiveGatewayErrors == 7)
    }

    @Test("Keys and tables of consistent hashing are read")
    func consistentHash() throws {
        func read(_ spec: String) throws -> LoadBalancing? {
            try Mesh(Samples.policy("{host: a, trafficPolicy: {loadBalancer: {consistentHash: \(spec)}}}"))
                .snapshot.destinationPolicies.first?.policy.loadBalancing
        }
        #expect(try read("{useSourceIp: true}") == .consistentHash(ConsistentHash(key: .sourceAddress)))
        #expect(
            try read("{httpHeaderName: X-User, ringHash: {minimumRingSize: 4096}}")
                == .consistentHash(ConsistentHash(key: .header("x-user"), algorithm: .ring(sizeMin: 4096)))
        )
        #expect(
            try read("{httpCookie: {name: user, ttl: 0s}, maglev: {}}")
                == .consistentHash(
                    ConsistentHash(
                        key: .cookie(name: "user", path: "", ttl: .zero),
                        algorithm: .maglev(tableSize: 65537)
                    )
                )
        )
        #expect(
            try read("{httpQueryParameterName: q, minimumRingSize: 10}")
                == .consistentHash(ConsistentHash(key: .queryParameter("q"), algorithm: .ring(sizeMin: 10)))
        )
    }

    @Test("Localities and HTTP/2 are read, of a port too")
    func localities() throws {
        let mesh = try Mesh(
            Samples.policy(
                """
                {host: a, trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}, portLevelSettings: [
                  {port: {number: 80}, outlierDetection: {interval: 1s}, loadBalancer: {localityLbSetting:
                    {distribute: [{from: "eu/a/*", to: {"eu/a/*": 80, "eu/b/*": 20}}]}}},
                  {port: {number: 81}, connectionPool: {http: {h2UpgradePolicy: DO_NOT_UPGRADE}},
                   loadBalancer: {localityLbSetting: {enabled: false, failover: [{from: eu, to: us}],
                                                      failoverPriority: [region]}}}]}}
                """
            )
        )
        #expect(mesh.errors() == [])
        let policy = try #require(mesh.snapshot.destinationPolicies.first?.policy)
        #expect(policy.upgradesToHTTP2 == true)
        let (first, second) = (try #require(Port(80)), try #require(Port(81)))
        #expect(
            policy.ports[first]?.locality?.distributions == [.init(from: "eu/a/*", to: ["eu/a/*": 80, "eu/b/*": 20])]
        )
        #expect(policy.ports[first]?.outlierDetection?.interval == .seconds(1))
        #expect(policy.ports[second]?.locality?.isEnabled == false)
        #expect(policy.ports[second]?.locality?.failOvers == [.init(from: "eu", to: "us")])
        #expect(policy.ports[second]?.locality?.failOverLabels == ["region"])
        #expect(policy.ports[second]?.upgradesToHTTP2 == false)
    }

    @Test(
        "Each mistake of balancing and outliers is named with its path",
        arguments: [
            ("loadBalancer: {consistentHash: {}}", "loadBalancer.consistentHash: needs a key"),
            ("loadBalancer: {consistentHash: {useSourceIp: false}}", "loadBalancer.consistentHash: needs a key"),
            (
                "loadBalancer: {consistentHash: {httpCookie: {}}}",
                "loadBalancer.consistentHash.httpCookie.name: is needed"
            ),
            (
                "loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 65536}}}",
                "loadBalancer.consistentHash.maglev.tableSize: 65536 is no prime"
            ),
            (
                "loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 99}}]}}",
                "loadBalancer.localityLbSetting.distribute[0].to: adds up to 99"
            ),
            (
                "loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 100}}], failover: [{from: a, to: b}]}}",
                "loadBalancer.localityLbSetting: only one of"
            ),
            (
                "loadBalancer: {localityLbSetting: {failover: [{from: a, to: a}]}}",
                "loadBalancer.localityLbSetting.failover[0].to: `a` is the region itself"
            ),
            (
                "outlierDetection: {maxEjectionPercent: 101}",
                "outlierDetection.maxEjectionPercent: 101 is no percentage"
            ),
            ("outlierDetection: {interval: 0s}", "outlierDetection.interval: must be at least 1ms"),
            ("outlierDetection: {consecutiveErrors: -1}", "outlierDetection.consecutiveErrors: must not be negative"),
        ]
    )
    func balancingMistakes(_ policy: String, _ expected: String) throws {
        let mesh = try Mesh(Samples.policy("{host: a, trafficPolicy: {\(policy)}}"))
        #expect(mesh.errors().contains { $0.hasPrefix("spec.trafficPolicy.\(expected)") }, "\(mesh.errors())")
        #expect(mesh.snapshot.destinationPolicies.isEmpty)
    }
}
