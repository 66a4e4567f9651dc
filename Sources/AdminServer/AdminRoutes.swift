internal import Glibc
internal import MeshModel
internal import ProxyRuntime
internal import TrafficEngine

/// Answers requests to the administration interface.
package struct AdminRoutes: Sendable {
    /// Which part of it a port offers.
    package enum Scope: Sendable, Hashable {
        /// Everything; for loopback only.
        case all
        /// Numbers for Prometheus.
        case prometheus
        /// Whether the proxy is ready.
        case health
    }

    private let sources: AdminSources

    package init(_ sources: AdminSources) { self.sources = sources }

    private static let help: [(path: String, text: String)] = [
        ("/", "this list"),
        ("/certs", "certificates in use, without keys"),
        ("/clusters", "clusters and their endpoints with counts; ?format=json"),
        ("/config_dump", "the configuration as it was received, without keys"),
        ("/dns", "sizes and counts of the workload's DNS"),
        ("/dns/trace", "how a name is looked up; ?name=NAME, ?type=A|AAAA|…"),
        ("/dns/vips", "names under wildcards and the addresses that they were given"),
        ("/help", "this list"),
        ("/listeners", "names and addresses of listeners; ?format=json"),
        ("/logging", "the log level; POST ?level=LEVEL changes it"),
        ("/policy/trace", "what the policy engine would be asked about a request, and what is kept of its answers"),
        ("/quitquitquit", "POST ends the proxy in order"),
        ("/ready", "LIVE, or 503 and the state"),
        ("/server_info", "version, state and uptime"),
        ("/stats", "counts; ?filter=REGEX, ?format=json|prometheus, ?usedonly"),
        ("/stats/prometheus", "counts for Prometheus"),
    ]

    private static var helpText: String {
        Self.help.map { "  \($0.path): \($0.text)\n" }.joined()
    }

    package func respond(to request: AdminRequest, in scope: Scope) async -> AdminResponse {
        switch (scope, request.path) {
        case (.health, "/healthz/ready"), (.all, "/healthz/ready"), (.all, "/ready"): return await self.ready()
        case (.prometheus, "/stats/prometheus"), (.prometheus, "/metrics"), (.all, "/stats/prometheus"),
            (.all, "/metrics"):
            return await self.prometheus()
        case (.all, "/"), (.all, "/help"): return AdminResponse(body: "admin commands are:\n" + Self.helpText)
        case (.all, "/stats"): return await self.stats(request)
        case (.all, "/certs"): return await self.certificates()
        case (.all, "/dns/vips"): return .json(await self.sources.mintedAddresses())
        case (.all, "/clusters"): return await self.clusters(request)
        case (.all, "/listeners"): return await self.listeners(request)
        case (.all, "/config_dump"): return await self.configDump()
        case (.all, "/server_info"): return await self.serverInfo()
        case (.all, "/logging"): return self.logging(request)
        case (.all, let path) where path == "/dns" || path.hasPrefix("/dns/"): return await self.sources.dns(request)
        case (.all, "/policy/trace"): return await self.sources.policyTrace(request)
        case (.all, "/quitquitquit"):
            guard request.method == "POST" else { return Self.postOnly }
            self.sources.quit()
            return AdminResponse(body: "OK\n")
        case (.all, _): return AdminResponse(404, body: "invalid path. admin commands are:\n" + Self.helpText)
        case (.prometheus, _): return AdminResponse(404, body: "invalid path; /stats/prometheus and /metrics exist\n")
        case (.health, _): return AdminResponse(404, body: "invalid path; /healthz/ready exists\n")
        }
    }

    private static let postOnly = AdminResponse(405, body: "this changes the proxy: use POST\n")

    private func ready() async -> AdminResponse {
        let state = await self.sources.state()
        return AdminResponse(state == .live ? 200 : 503, body: state.rawValue + "\n")
    }

    private func numbers() async -> [Statistic] {
        let uptime = ContinuousClock.now - self.sources.facts.startedAt
        let state = await self.sources.state()
        return await self.sources.otherStatistics() + [
            Statistic("server.concurrency", .gauge, self.sources.facts.concurrency),
            Statistic("server.live", .gauge, state == .live ? 1 : 0),
            Statistic("server.state", .gauge, state.number),
            Statistic("server.uptime", .gauge, Int(uptime.components.seconds)),
        ]
    }

    private func prometheus() async -> AdminResponse {
        let text = PrometheusText.render(await self.sources.statistics(), others: await self.numbers())
        return AdminResponse(contentType: "text/plain; version=0.0.4; charset=UTF-8", body: text)
    }

    private func stats(_ request: AdminRequest) async -> AdminResponse {
        if request.query["format"] == "prometheus" { return await self.prometheus() }
        var numbers = StatisticsText.flat(await self.sources.statistics(), others: await self.numbers())
        if let filter = request.query["filter"], !filter.isEmpty {
            do {
                // Anywhere in the name, as in Envoy.
                let pattern = try Pattern(compiling: "(?s).*(?:\(filter)).*")
                numbers = numbers.filter { pattern.matches(Array($0.name.utf8)) }
            } catch {
                return AdminResponse(400, body: "filter is no regular expression that is supported: \(error)\n")
            }
        }
        if request.query["usedonly"] != nil { numbers = numbers.filter { $0.value != 0 } }
        switch request.query["format"] {
        case nil, "text", "": return AdminResponse(body: StatisticsText.plain(numbers))
        case "json": return .json(StatisticsText.json(numbers))
        default: return AdminResponse(400, body: "format is one of text, json, prometheus\n")
        }
    }

    private func clusters(_ request: AdminRequest) async -> AdminResponse {
        let clusters = await self.sources.statistics().clusters
        if request.query["format"] == "json" { return .json(ClustersText.json(clusters)) }
        return AdminResponse(body: ClustersText.plain(clusters))
    }

    private func listeners(_ request: AdminRequest) async -> AdminResponse {
        let listeners = await self.sources.listeners().sorted { $0.name < $1.name }
        guard request.query["format"] == "json" else {
            return AdminResponse(body: listeners.map { "\($0.name)::\($0.address)\n" }.joined())
        }
        let entries = listeners.map {
            "{\"name\":\(JSONText.string($0.name)),\"local_address\":\(JSONText.address($0.address))}"
        }
        return .json("{\"listener_statuses\":[\(entries.joined(separator: ","))]}\n")
    }

    private func configDump() async -> AdminResponse {
        do { return .json(try await self.sources.configDump()) } catch {
            return AdminResponse(500, body: "the configuration cannot be shown: \(error)\n")
        }
    }

    private func certificates() async -> AdminResponse {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return .json(CertificatesText.json(await self.sources.certificates(), now: Double(now.tv_sec)))
    }

    private func serverInfo() async -> AdminResponse {
        let facts = self.sources.facts
        let uptime = (ContinuousClock.now - facts.startedAt).components.seconds
        let state = await self.sources.state()
        let source = await self.sources.configurationSource()
        return .json(
            """
            {
             "version": \(JSONText.string("lateen-proxy/\(facts.version)")),
             "state": "\(state.rawValue)",
             "uptime_current_epoch": "\(uptime)s",
             "uptime_all_epochs": "\(uptime)s",
             "node": {"id": \(JSONText.string(facts.node))},
             "configuration_source": \(JSONText.string(source)),
             "command_line_options": {"mode": \(JSONText.string(facts.mode)), "concurrency": \(facts.concurrency)}
            }

            """
        )
    }

    private func logging(_ request: AdminRequest) -> AdminResponse {
        if let level = request.query["level"] {
            guard request.method == "POST" else { return Self.postOnly }
            guard self.sources.setLogLevel(level) else {
                let words = "trace, debug, info, notice, warning, error, critical"
                return AdminResponse(400, body: "level is one of \(words)\n")
            }
        }
        return AdminResponse(body: "active loggers:\n  all: \(self.sources.logLevel())\n")
    }
}
