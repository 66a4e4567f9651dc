import MeshModel
import MeshSubscribe
import SwiftProtobuf
import Testing
import TrafficEngine
import XDSAPI

@Suite struct StateBuilderTests {
    /// A builder that holds two EDS clusters, one HTTP and one TCP listener.
    private func full() throws -> StateBuilder {
        var builder = StateBuilder()
        let clusters = try ["a", "b"].map { try Messages.any(Messages.edsCluster($0)) }
        #expect(builder.setClusters(clusters, version: "1") == [])
        let lists = try ["a", "b"].map { try Messages.any(Messages.endpoints($0, "10.0.0.1")) }
        #expect(builder.setEndpoints(lists, version: "1") == [])
        let listeners = [
            Messages.listener("http", port: 80, try Messages.httpFilter(routes: "80")),
            Messages.listener("tcp", port: 81, try Messages.tcpFilter("a")),
        ]
        #expect(builder.setListeners(try listeners.map(Messages.any), version: "1") == [])
        #expect(builder.setRoutes([try Messages.any(Messages.routes("80", cluster: "a"))], version: "1") == [])
        return builder
    }

    private func cluster(_ name: String, _ state: ProxyState) -> Cluster? {
        state.clusters.compactMap { $0 }.first { $0.name == name }
    }

    @Test("A change of endpoints replaces one cluster and nothing else")
    func endpointsOnly() throws {
        var builder = try self.full()
        let before = builder.makeState()

        _ = builder.setEndpoints([try Messages.any(Messages.endpoints("a", "10.0.0.2"))], version: "2")
        let after = builder.makeState()

        #expect(self.cluster("a", before) !== self.cluster("a", after))
        #expect(self.cluster("b", before) === self.cluster("b", after))
        #expect(zip(before.listeners, after.listeners).allSatisfy { $0 === $1 })
        #expect(before.routeTables["80"] === after.routeTables["80"])
        #expect(self.cluster("a", before)?.id == self.cluster("a", after)?.id)
        #expect(after.revision > before.revision)
    }

    @Test("DNS-bound egress is read out of a listener's metadata, and refused where it makes no sense")
    func dnsBoundEgress() throws {
        func listener(_ fields: [String: Google_Protobuf_Value]) throws -> Google_Protobuf_Any {
            var listener = Messages.listener("tcp", port: 81, try Messages.tcpFilter("a"))
            listener.metadata.filterMetadata["lateen"] = Google_Protobuf_Struct(fields: [
                "dns_bound_egress": Google_Protobuf_Value(structValue: Google_Protobuf_Struct(fields: fields))
            ])
            return try Messages.any(listener)
        }
        var builder = StateBuilder()
        let literals = Google_Protobuf_ListValue(values: [Google_Protobuf_Value(stringValue: "10.0.0.0/8")])
        let good = try listener([
            "mode": Google_Protobuf_Value(stringValue: "AUDIT"),
            "grace_milliseconds": Google_Protobuf_Value(numberValue: 1500),
            "ip_literals": Google_Protobuf_Value(listValue: literals),
        ])

        #expect(builder.setListeners([good], version: "1") == [])
        let binding = try #require(builder.makeState().listeners.first?.dnsBoundEgress)
        #expect(binding.mode == .audit && binding.grace == .milliseconds(1500))
        #expect(binding.literals.map(\.description) == ["10.0.0.0/8"])
        let bad = try listener(["mode": Google_Protobuf_Value(stringValue: "SOMETIMES")])
        #expect(builder.setListeners([bad], version: "2").first?.description.contains("OFF, AUDIT, ENFORCE") == true)
    }

    @Test("Resources that come again unchanged keep their objects")
    func unchanged() throws {
        var builder = try self.full()
        let before = builder.makeState()

        let clusters = try ["b", "a"].map { try Messages.any(Messages.edsCluster($0)) }
        _ = builder.setClusters(clusters, version: "2")
        let after = builder.makeState()

        #expect(self.cluster("a", before) === self.cluster("a", after))
    }

    @Test("A bad resource is refused alone: it stays as it was, and the others are taken")
    func oneBad() throws {
        var builder = try self.full()
        let before = builder.makeState()
        var bad = Messages.listener("tcp", port: 81, try Messages.tcpFilter("a"))
        bad.filterChains[0].filters[0].typedConfig.typeURL = "type.googleapis.com/envoy.x.RedisProxy"
        bad.filterChains[0].filters[0].name = "envoy.filters.network.redis_proxy"
        let good = Messages.listener("new", port: 82, try Messages.tcpFilter("b"))

        let errors = builder.setListeners([try Messages.any(bad), try Messages.any(good)], version: "2")
        let after = builder.makeState()

        #expect(errors.map(\.resource) == ["tcp"])
        #expect(errors.first?.findings.map(\.path) == ["filter_chains[0].filters[0]"])
        #expect(errors.first?.description.contains("envoy.filters.network.redis_proxy is not supported") == true)
        #expect(after.listeners.map(\.name) == ["tcp", "new"])
        #expect(after.listeners[0] === before.listeners[1])
    }

    @Test("Fields that are not supported are named with their path, deep inside too")
    func unsupportedField() throws {
        var builder = StateBuilder()
        var routes = Messages.routes("80", cluster: "a")
        routes.virtualHosts[0].routes[0].route.hashPolicy = [.with { $0.header.regexRewrite.substitution = "x" }]
        routes.virtualHosts[0].routes[0].match.headers = [.with { $0.rangeMatch.start = 1 }]

        let errors = builder.setRoutes([try Messages.any(routes)], version: "1")

        let paths = errors.flatMap(\.findings).map(\.path)
        #expect(paths.contains("virtual_hosts[0].routes[0].route.hash_policy[0].header.regex_rewrite"))
        #expect(paths.contains("virtual_hosts[0].routes[0].match.headers[0].range_match"))
    }

    @Test("A response with a resource that cannot be read drops nothing: it may be any")
    func unreadable() throws {
        var builder = try self.full()
        var broken = Google_Protobuf_Any()
        broken.typeURL = TypeURL.listener
        broken.value.append(contentsOf: [0xff, 0xff])

        let errors = builder.setListeners([broken], version: "2")

        #expect(errors.count == 1)
        #expect(builder.makeState().listeners.count == 2)
    }

    @Test("A listener waits for its routes; while it waits its earlier version goes on")
    func warming() throws {
        var builder = try self.full()
        let before = builder.makeState()
        let changed = Messages.listener("http", port: 80, try Messages.httpFilter(routes: "other"))
        let new = Messages.listener("new", port: 83, try Messages.httpFilter(routes: "new"))

        _ = builder.setListeners([try Messages.any(changed), try Messages.any(new)], version: "2")
        let waiting = builder.makeState()

        #expect(waiting.listeners.map(\.name) == ["http"])
        #expect(waiting.listeners[0] === before.listeners[0])
        #expect(waiting.routeTables["80"] != nil)
        #expect(!builder.isComplete)
        #expect(builder.routeNames == ["new", "other"])

        let routes = try ["new", "other"].map { try Messages.any(Messages.routes($0, cluster: "a")) }
        _ = builder.setRoutes(routes, version: "2")
        #expect(builder.makeState().listeners.map(\.name) == ["http", "new"])
        #expect(builder.makeState().routeTables["80"] == nil)
    }

    @Test("A cluster that is not there any more leaves a gap, and keeps its number when it returns")
    func clusterReturns() throws {
        var builder = try self.full()
        let id = try #require(self.cluster("a", builder.makeState())?.id)

        _ = builder.setClusters([try Messages.any(Messages.edsCluster("b"))], version: "2")
        #expect(builder.makeState().cluster(id) == nil)

        let clusters = try ["a", "b"].map { try Messages.any(Messages.edsCluster($0)) }
        _ = builder.setClusters(clusters, version: "3")
        #expect(self.cluster("a", builder.makeState())?.id == id)
    }

    @Test("Envoy's defaults hold where a message says nothing")
    func defaults() throws {
        var builder = try self.full()
        let state = builder.makeState()
        let cluster = try #require(self.cluster("a", state))
        guard case .forward(let action)? = state.routeTables["80"]?.virtualHosts[0].routes[0].action else {
            Issue.record("no forward action")
            return
        }

        #expect(action.timeout == .seconds(15))
        #expect(action.retry == nil)
        #expect(cluster.connectTimeout == .seconds(5))
        #expect(cluster.limits.connectionsMax == 1024)
        #expect(cluster.limits.retriesMax == 3)
    }

    @Test("A budget for retries is read, with Envoy's defaults for what it does not say")
    func retryBudget() throws {
        typealias Thresholds = Envoy_Config_Cluster_V3_CircuitBreakers.Thresholds
        func limits(_ change: (inout Thresholds) -> Void) throws -> ClusterLimits {
            var cluster = Messages.edsCluster("a")
            cluster.circuitBreakers.thresholds = [.with(change)]
            var builder = StateBuilder()
            let findings = builder.setClusters([try Messages.any(cluster)], version: "1")
            #expect(findings.isEmpty)
            return try #require(self.cluster("a", builder.makeState())).limits
        }

        #expect(try limits { $0.maxRetries = .init(7) }.retriesMax == 7)
        #expect(try limits { $0.retryBudget = .init() }.retryBudget == RetryBudget(percent: 20, concurrencyMin: 3))
        let written = try limits {
            $0.retryBudget.budgetPercent.value = 50
            $0.retryBudget.minRetryConcurrency = .init(1)
        }
        #expect(written.retryBudget == RetryBudget(percent: 50, concurrencyMin: 1))
    }

    @Test("A route's rules about other origins are read; settings of other filters are refused by name")
    func crossOrigin() throws {
        func findings(_ setting: any SwiftProtobuf.Message) throws -> [String] {
            var routes = Messages.routes("80", cluster: "a")
            routes.virtualHosts[0].routes[0].typedPerFilterConfig["envoy.filters.http.cors"] = try Google_Protobuf_Any(
                message: setting
            )
            var builder = try self.full()
            let findings = builder.setRoutes([try Messages.any(routes)], version: "2").map(\.description)
            let route = builder.makeState().routeTables["80"]?.virtualHosts[0].routes[0]
            #expect(findings.isEmpty == (route?.crossOrigin != nil))
            return findings
        }

        let policy = Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy.with {
            $0.allowOriginStringMatch = [.with { $0.exact = "*" }]
        }
        #expect(try findings(policy).isEmpty)
        let broken = Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy.with { $0.allowMethods = "GET\r\nx: y" }
        #expect(try !findings(broken).isEmpty)
        let other = try findings(Envoy_Extensions_Filters_Http_Rbac_V3_RBACPerRoute())
        #expect(other.contains { $0.contains("typed_per_filter_config") })
    }

    @Test("Two virtual hosts cannot have one domain")
    func duplicateDomain() throws {
        var builder = StateBuilder()
        var routes = Messages.routes("80", cluster: "a", domain: "x")
        routes.virtualHosts.append(routes.virtualHosts[0])
        routes.virtualHosts[1].domains = ["X"]

        let errors = builder.setRoutes([try Messages.any(routes)], version: "1")

        #expect(errors.first?.findings.map(\.path) == ["virtual_hosts[1].domains[0]"])
    }

    @Test("Endpoints keep their priorities and their health, so that the balancer can choose")
    func priorities() throws {
        var builder = try self.full()
        var list = Messages.endpoints("a", "10.0.0.1")
        list.endpoints[0].lbEndpoints[0].healthStatus = .unhealthy
        var second = Messages.endpoints("a", "10.0.0.2").endpoints[0]
        second.priority = 1
        list.endpoints.append(second)

        _ = builder.setEndpoints([try Messages.any(list)], version: "2")

        guard case .endpoints(let endpoints)? = self.cluster("a", builder.makeState())?.discovery else {
            Issue.record("no endpoints")
            return
        }
        #expect(endpoints.map { $0.address.description } == ["10.0.0.1:80", "10.0.0.2:80"])
        #expect(endpoints.map(\.priority) == [0, 1])
        #expect(endpoints.map(\.isHealthy) == [false, true])
    }

    @Test("The dump has the shape of Envoy's and shows what was refused")
    func dump() throws {
        var builder = try self.full()
        var bad = Messages.edsCluster("a")
        bad.lbPolicy = .loadBalancingPolicyConfig
        _ = builder.setClusters([try Messages.any(bad)], version: "2")

        let json = try ConfigurationDump.json(builder.received, areStatic: false)

        #expect(json.contains("type.googleapis.com/envoy.admin.v3.ListenersConfigDump"))
        #expect(json.contains("\"dynamic_listeners\""))
        #expect(json.contains("\"error_state\""))
        #expect(json.contains("lb_policy"))
    }
}
