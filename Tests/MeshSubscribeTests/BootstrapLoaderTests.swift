import MeshSubscribe
import Testing
import TrafficEngine

@Suite struct BootstrapLoaderTests {
    private let good = """
        static_resources:
          listeners:
          - name: http
            address: { socket_address: { address: 127.0.0.1, port_value: 8080 } }
            filter_chains:
            - filters:
              - name: envoy.filters.network.http_connection_manager
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                  stat_prefix: http
                  route_config:
                    virtual_hosts:
                    - { name: all, domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: backend } }] }
                  http_filters:
                  - name: envoy.filters.http.router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          clusters:
          - name: backend
            type: STATIC
            connect_timeout: 1s
            load_assignment:
              cluster_name: backend
              endpoints:
              - lb_endpoints:
                - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9000 } } }
        admin: { address: { socket_address: { address: 127.0.0.1, port_value: 9901 } } }
        """

    private func findings(_ text: String) -> [Finding] {
        do throws(BootstrapError) {
            _ = try BootstrapLoader.load(text: text, file: "test.yaml")
            return []
        } catch { return error.findings }
    }

    private func json(_ text: String) -> String {
        """
        {
        \t"staticResources": {"listeners": [{"name": "t", "address": {"socketAddress": {"address": "::1", "portValue": 1}},
        \t"filterChains": [{"filters": [{"name": "tcp", "typedConfig": {
        \t"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        \t"statPrefix": "t", "cluster": "\(text)"}}]}]}],
        \t"clusters": [{"name": "b", "loadAssignment": {"clusterName": "b"}}]}
        }
        """
    }

    @Test("A file may name policies of every kind, the policy engine's filter included")
    func policyEngine() throws {
        let router = "- name: envoy.filters.http.router"
        let mixer = """
            - name: mixer
                        typed_config:
                          "@type": type.googleapis.com/istio.mixer.v1.config.client.HttpClientConfig
                          transport: { checkCluster: backend, networkFailPolicy: { policy: FAIL_CLOSE } }
                          defaultDestinationService: a
                          serviceConfigs: { a: { disableReportCalls: true } }
                      \(router)
            """
        let text = self.good.replacing(router, with: mixer)

        let bootstrap = try BootstrapLoader.load(text: text, file: "test.yaml")

        guard case .http(let manager) = bootstrap.state.listeners.first?.chains.first?.terminal,
            let policy = manager.mixer
        else {
            Issue.record("no policy engine in \(bootstrap.state.listeners)")
            return
        }
        #expect(policy.checkServer?.name == "backend" && policy.reportServer == nil && !policy.failsOpen)
    }

    @Test("A file of Envoy becomes a state")
    func loads() throws {
        let bootstrap = try BootstrapLoader.load(text: self.good, file: "test.yaml")

        #expect(bootstrap.state.listeners.map(\.name) == ["http"])
        #expect(bootstrap.state.clusters.compactMap { $0?.name } == ["backend"])
        #expect(bootstrap.admin?.description == "127.0.0.1:9901")
    }

    @Test("JSON with tabs and camel case is read as well")
    func readsJSON() throws {
        let bootstrap = try BootstrapLoader.load(text: self.json("b"), file: "test.json")

        #expect(bootstrap.state.listeners.first?.address.description == "[::1]:1")
    }

    @Test("A cluster that does not exist is named with the listener that sends to it")
    func unknownCluster() {
        let findings = self.findings(self.json("nowhere"))

        #expect(findings.count == 1)
        #expect(findings.first?.message.contains("`nowhere`") == true)
        #expect(findings.first?.message.contains("`t`") == true)
    }

    @Test("A filter that is not supported is named with its path and what would be")
    func unsupportedFilter() {
        let text = self.good.replacing(
            "      - name: envoy.filters.network.http_connection_manager",
            with: """
                      - name: envoy.filters.network.redis_proxy
                        typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy, stat_prefix: x }
                      - name: envoy.filters.network.http_connection_manager
                """
        )
        let findings = self.findings(text)

        #expect(findings.first?.path == "static_resources.listeners[0].filter_chains[0].filters[0]")
        #expect(
            findings.first?.message.contains("envoy.filters.network.redis_proxy is not supported; supported:") == true
        )
    }

    @Test("All mistakes are reported at once, each with its path")
    func allMistakes() {
        let text = self.good
            .replacing("connect_timeout: 1s", with: "connect_timeout: soon")
            .replacing("stat_prefix: http", with: "stat_prefix: http\n          normalise_everything: true")
            .replacing(
                "    type: STATIC",
                with: "    lb_policy: MAGLEV\n    protocol_selection: USE_DOWNSTREAM_PROTOCOL"
            )
            .replacing("address: 127.0.0.1, port_value: 8080", with: "address: localhost, port_value: 8080")
        let findings = self.findings(text)
        let paths = findings.map(\.path)

        #expect(paths.contains("static_resources.clusters[0].protocol_selection"))
        #expect(paths.contains("static_resources.clusters[0]"))
        #expect(paths.contains { $0.hasSuffix("typed_config.normalise_everything") })
        #expect(paths.contains("static_resources.listeners[0].address.socket_address.address"))
    }

    @Test(
        "What is no bootstrap at all is refused",
        arguments: ["", "[]", "a: [", "just text", "static_resources: {}", "dynamic_resources: {}"]
    )
    func refuses(_ text: String) {
        #expect(!self.findings(text).isEmpty)
    }

    @Test("A file that does not exist is named")
    func missing() {
        do throws(BootstrapError) {
            _ = try BootstrapLoader.load(file: "/nonexistent/x.yaml")
            Issue.record("loaded")
        } catch { #expect(error.description == "/nonexistent/x.yaml: no such file") }
    }
}
