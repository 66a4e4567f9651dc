import AdminServer
import ProxyRuntime
import Testing
import TrafficEngine

@Suite struct AdminRoutesTests {
    private func routes(state: ServerState = .live) -> AdminRoutes {
        AdminRoutes(
            AdminSources(
                facts: ServerFacts(version: "1", node: "sidecar~\"x\"", mode: "run", concurrency: 1),
                state: { state },
                statistics: {
                    var statistics = ProxyStatistics()
                    statistics.clusters["a"] = ClusterStatistics()
                    statistics.clusters["b"] = ClusterStatistics()
                    return statistics
                },
                listeners: { [] },
                configDump: { "{}" },
                logLevel: { "info" },
                setLogLevel: { $0 == "debug" },
                quit: {}
            )
        )
    }

    private func get(_ target: String, _ scope: AdminRoutes.Scope = .all, method: String = "GET") async -> AdminResponse
    {
        await self.routes().respond(to: AdminRequest(method: method, target: target), in: scope)
    }

    @Test("A filter is looked for anywhere in a name")
    func filter() async {
        let body = await self.get("/stats?filter=cluster%5C.a%5C..*cx_total$").body

        #expect(body == "cluster.a.upstream_cx_total: 0\n")
    }

    @Test("A filter that is no pattern is answered with the reason")
    func badFilter() async {
        #expect(await self.get("/stats?filter=(").status == 400)
    }

    @Test("Unknown paths get 404 and the list of those that exist")
    func unknown() async {
        let response = await self.get("/nothing")

        #expect(response.status == 404)
        #expect(response.body.contains("/config_dump"))
    }

    @Test("Addresses of names under wildcards are shown on loopback alone")
    func mintedAddresses() async {
        #expect(await self.get("/dns/vips").body == "[]\n")
        #expect(await self.get("/dns/vips", .prometheus).status == 404)
    }

    @Test("What changes the proxy needs POST")
    func methods() async {
        #expect(await self.get("/quitquitquit").status == 405)
        #expect(await self.get("/quitquitquit", method: "POST").status == 200)
        #expect(await self.get("/logging?level=debug").status == 405)
        #expect(await self.get("/logging?level=debug", method: "POST").status == 200)
        #expect(await self.get("/logging?level=loud", method: "POST").status == 400)
    }

    @Test("The ports that others reach offer nothing but their one page")
    func scopes() async {
        #expect(await self.get("/config_dump", .prometheus).status == 404)
        #expect(await self.get("/stats/prometheus", .prometheus).status == 200)
        #expect(await self.get("/quitquitquit", .health, method: "POST").status == 404)
        #expect(await self.get("/healthz/ready", .health).status == 200)
    }

    @Test("A proxy without configuration is not ready and says so")
    func notReady() async {
        let request = AdminRequest(method: "GET", target: "/ready")
        let response = await self.routes(state: .preInitializing).respond(to: request, in: .all)

        #expect(response.status == 503)
        #expect(response.body == "PRE_INITIALIZING\n")
    }
}
