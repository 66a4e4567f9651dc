import KubernetesAPI

/// The parts of a proxy's `config_dump`; Lateen's proxy and Envoy write the same.
struct ConfigDump {
    let listeners: [JSONValue]
    let routes: [JSONValue]
    let clusters: [JSONValue]
    let endpoints: [JSONValue]
    /// Entries with `name`, `secret` and, where it was refused, `error_state`.
    let secrets: [JSONValue]

    init(json: JSONValue) {
        let sections = json["configs"]?.array ?? []
        func items(_ type: String, _ paths: [(list: String, path: [String])]) -> [JSONValue] {
            sections.filter { $0["@type"]?.string?.hasSuffix(type) == true }.flatMap { section in
                paths.flatMap { list, path in
                    (section.field(list)?.array ?? []).compactMap { entry in
                        path.reduce(entry as JSONValue?) { $0?.field($1) }
                    }
                }
            }
        }
        self.listeners = items(
            "ListenersConfigDump",
            [("static_listeners", ["listener"]), ("dynamic_listeners", ["active_state", "listener"])]
        )
        self.routes = items(
            "RoutesConfigDump",
            [("static_route_configs", ["route_config"]), ("dynamic_route_configs", ["route_config"])]
        )
        self.clusters = items(
            "ClustersConfigDump",
            [("static_clusters", ["cluster"]), ("dynamic_active_clusters", ["cluster"])]
        )
        self.secrets = items(
            "SecretsConfigDump",
            [("static_secrets", []), ("dynamic_active_secrets", []), ("dynamic_warming_secrets", [])]
        )
        self.endpoints = items(
            "EndpointsConfigDump",
            [("static_endpoint_configs", ["endpoint_config"]), ("dynamic_endpoint_configs", ["endpoint_config"])]
        )
    }

    static func listenerTable(_ listeners: [JSONValue]) -> TextTable {
        var table = TextTable("ADDRESS", "PORT", "MATCH", "DESTINATION")
        for listener in listeners.sorted(by: { ($0.port, $0.address) < ($1.port, $1.address) }) {
            for chain in listener.field("filter_chains")?.array ?? [] {
                table.add(listener.address, "\(listener.port)", chain.match, chain.destination)
            }
            if let chain = listener.field("default_filter_chain") {
                table.add(listener.address, "\(listener.port)", "ALL", chain.destination)
            }
        }
        return table
    }

    static func routeTable(_ routes: [JSONValue]) -> TextTable {
        var table = TextTable("NAME", "VHOST NAME", "DOMAINS", "MATCH", "DESTINATION")
        for configuration in routes.sorted(by: { $0.name < $1.name }) {
            for host in configuration.field("virtual_hosts")?.array ?? [] {
                let domains = host["domains"]?.array?.compactMap(\.string) ?? []
                let shown =
                    domains.prefix(2).joined(separator: ", ") + (domains.count > 2 ? " + \(domains.count - 2)" : "")
                for route in host["routes"]?.array ?? [] {
                    table.add(configuration.name, host.name, shown, route.pathMatch, route.routeTarget)
                }
            }
        }
        return table
    }

    static func clusterTable(_ clusters: [JSONValue]) -> TextTable {
        var table = TextTable("SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE")
        for cluster in clusters.sorted(by: { $0.name < $1.name }) {
            let name = ClusterName(cluster.name)
            table.add(name.host, name.port, name.subset, name.direction, cluster["type"]?.string ?? "STATIC")
        }
        return table
    }

    static func endpointTable(_ assignments: [JSONValue]) -> TextTable {
        var table = TextTable("ENDPOINT", "STATUS", "CLUSTER")
        for assignment in assignments {
            let cluster = assignment.field("cluster_name")?.string ?? ""
            let members = assignment["endpoints"]?.array?.flatMap { $0.field("lb_endpoints")?.array ?? [] } ?? []
            for member in members {
                let address = member[path: "endpoint", "address"]?.field("socket_address")
                let port = address?.field("port_value")?.int ?? 0
                let status = member.field("health_status")?.string ?? "HEALTHY"
                table.add("\(address?["address"]?.string ?? ""):\(port)", status, cluster)
            }
        }
        return table
    }
}

/// `outbound|9080|v1|reviews.default.svc.cluster.local`, or a name of one word.
struct ClusterName {
    var direction = "-"
    var port = "-"
    var subset = "-"
    var host: String

    init(_ name: String) {
        let parts = name.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4 else {
            self.host = name
            return
        }
        self.direction = parts[0]
        self.port = parts[1]
        self.subset = parts[2].isEmpty ? "-" : parts[2]
        self.host = parts[3]
    }
}

extension JSONValue {
    /// A field by its name in the proto; JSON may also have it in camel case.
    func field(_ name: String) -> JSONValue? {
        if let value = self[name] { return value }
        let words = name.split(separator: "_").map(String.init)
        let camel = words.dropFirst().reduce(words.first ?? "") { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
        return self[camel]
    }

    var name: String { self["name"]?.string ?? "" }

    fileprivate var address: String { self["address"]?.field("socket_address")?["address"]?.string ?? "" }

    var port: Int { self["address"]?.field("socket_address")?.field("port_value")?.int ?? 0 }

    /// What a filter chain asks of a connection.
    fileprivate var match: String {
        guard let match = self.field("filter_chain_match") else { return "ALL" }
        var parts: [String] = []
        if let port = match.field("destination_port")?.int { parts.append("Port: \(port)") }
        let prefixes = (match.field("prefix_ranges")?.array ?? []).map { range in
            "\(range.field("address_prefix")?.string ?? "")/\(range.field("prefix_len")?.int ?? 0)"
        }
        if !prefixes.isEmpty { parts.append("Addr: \(prefixes.joined(separator: ","))") }
        let names = match.field("server_names")?.array?.compactMap(\.string) ?? []
        if !names.isEmpty { parts.append("SNI: \(names.joined(separator: ","))") }
        let protocols = match.field("application_protocols")?.array?.compactMap(\.string) ?? []
        if !protocols.isEmpty { parts.append("App: \(protocols.joined(separator: ","))") }
        return parts.isEmpty ? "ALL" : parts.joined(separator: "; ")
    }

    /// Where a filter chain leads.
    fileprivate var destination: String {
        guard let filter = self["filters"]?.array?.last, let settings = filter.field("typed_config") else { return "-" }
        if let routes = settings["rds"]?.field("route_config_name")?.string { return "Route: \(routes)" }
        if let routes = settings.field("route_config") { return "Inline Route: \(routes.name)" }
        if let cluster = settings["cluster"]?.string { return "Cluster: \(cluster)" }
        let shares = settings.field("weighted_clusters")?["clusters"]?.array ?? []
        if !shares.isEmpty {
            return "Clusters: " + shares.map { "\($0.name) \($0["weight"]?.int ?? 0)" }.joined(separator: ", ")
        }
        return filter.name
    }

    /// The path that a route asks for.
    fileprivate var pathMatch: String {
        guard let match = self["match"] else { return "/*" }
        let extra = (match["headers"]?.array ?? []).isEmpty ? "" : " + headers"
        if let prefix = match["prefix"]?.string { return (prefix == "/" ? "/*" : prefix + "*") + extra }
        if let path = match["path"]?.string { return path + extra }
        if let regex = match.field("safe_regex")?["regex"]?.string { return "~\(regex)" + extra }
        return "*" + extra
    }

    fileprivate var routeTarget: String {
        if let status = self.field("direct_response")?["status"]?.int { return "answers \(status)" }
        if self["redirect"] != nil { return "redirects" }
        if let cluster = self["route"]?["cluster"]?.string { return cluster }
        let shares = self["route"]?.field("weighted_clusters")?["clusters"]?.array ?? []
        return shares.map { "\($0.name) \($0["weight"]?.int ?? 0)" }.joined(separator: ", ")
    }
}
