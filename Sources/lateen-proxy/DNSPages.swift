import AdminServer
import DNSProxy
import DNSWire
import MeshModel
import ProxyRuntime

/// `/dns` and `/dns/trace` of the admin interface, as JSON.
struct DNSPages: Sendable {
    let dns: WorkloadDNS

    func respond(to request: AdminRequest) async -> AdminResponse {
        switch request.path {
        case "/dns": await self.sizes()
        case "/dns/trace": await self.trace(request)
        default: AdminResponse(404, body: "invalid path; /dns and /dns/trace exist\n")
        }
    }

    private func sizes() async -> AdminResponse {
        let table = self.dns.server.table.sizes
        let numbers = await self.dns.statistics().map { "    \(JSONText.string($0.name)): \($0.value)" }
        let file = self.file
        return Self.json(
            """
            {
              "table": {"ready": \(table.isReady), "hosts": \(table.hosts), "wildcards": \(table.wildcards)},
              "recentAddresses": \(self.dns.recentNames.count),
            \(await self.resolver(file)),
              "counts": {
            \(numbers.joined(separator: ",\n"))
              }
            }

            """
        )
    }

    private func trace(_ request: AdminRequest) async -> AdminResponse {
        let name = request.query["name"] ?? ""
        let file = self.file
        guard let plan = LookupPlan(of: name, file) else {
            return AdminResponse(400, body: "name=\(name) is no domain name\n")
        }
        var types: [DNSType] = [.a, .aaaa]
        if let word = request.query["type"], !word.isEmpty {
            guard let type = DNSType(named: word) else {
                return AdminResponse(400, body: "type=\(word) is no record type: A, AAAA, SRV, …, or its number\n")
            }
            types = [type]
        }
        let trace = await self.dns.server.trace(plan, types: types)
        let steps = trace.steps.map { "    " + Self.text($0) }
        return Self.json(
            """
            {
              "name": \(JSONText.string(name)),
            \(await self.resolver(file)),
              "expansions": \(Self.list(plan.names.map(\.final))),
              "asked": \(trace.namesAsked),
              "found": \(trace.isFound),
              "steps": [
            \(steps.joined(separator: ",\n"))
              ]
            }

            """
        )
    }

    /// As the workload's resolver sees it now.
    private var file: ResolvConf { ResolvConfWatch.read(self.dns.resolvConf) ?? ResolvConf() }

    private func resolver(_ file: ResolvConf) async -> String {
        let servers = await self.dns.servers().map(\.description)
        return """
              "search": \(Self.list(file.search.map(\.description))),
              "ndots": \(file.ndots),
              "servers": \(Self.list(servers))
            """
    }

    private static func text(_ step: DNSTraceStep) -> String {
        var fields = [
            "\"question\": \(JSONText.string(step.question.name.final))",
            "\"type\": \(JSONText.string(step.question.type.description))",
        ]
        switch step.source {
        case .table(let host):
            fields += ["\"source\": \"table\"", "\"host\": \(JSONText.string(host.description))"]
        case .minted(let host):
            fields += ["\"source\": \"minted\"", "\"host\": \(JSONText.string(host.description))"]
        case .zone: fields.append("\"source\": \"zone\"")
        case .notReady: fields.append("\"source\": \"not ready\"")
        case .upstream(let server):
            fields += ["\"source\": \"upstream\"", "\"server\": \(Self.server(server))"]
        case .cached(let server, let isStale):
            fields += ["\"source\": \"cache\"", "\"server\": \(Self.server(server))", "\"stale\": \(isStale)"]
        case .nobody: fields.append("\"source\": \"nobody\"")
        }
        fields.append("\"rcode\": \"\(step.code)\"")
        if let ttl = step.ttl { fields.append("\"ttl\": \(ttl)") }
        let time = step.duration.components
        fields.append("\"microseconds\": \(time.seconds * 1_000_000 + time.attoseconds / 1_000_000_000_000)")
        let records = step.answers.map { record in
            "{\"name\": \(JSONText.string(record.name.final)), \"type\": \"\(record.data.type)\", \"ttl\": \(record.ttl), "
                + "\"data\": \(JSONText.string(record.data.text))}"
        }
        fields.append("\"answers\": [\(records.joined(separator: ", "))]")
        return "{\(fields.joined(separator: ", "))}"
    }

    private static func server(_ server: DNSUpstream?) -> String {
        JSONText.string(server?.description ?? "another server")
    }

    private static func list(_ texts: [String]) -> String {
        "[\(texts.map(JSONText.string).joined(separator: ", "))]"
    }

    private static func json(_ body: String) -> AdminResponse {
        AdminResponse(contentType: "application/json", body: body)
    }
}

extension DNSName {
    /// With the root's dot, so that nobody takes it for a short name.
    fileprivate var final: String { self.isRoot ? "." : self.description + "." }
}
