import IstioAPI
import KubernetesAPI
import MeshModel

enum GatewayParser {
    static func parse(_ object: KubernetesObject) -> Parsed<GatewayRules> {
        var findings = Findings("Gateway", object)
        var rules: GatewayRules?
        if let spec = Fields.spec(Istio_Networking_V1alpha3_Gateway.self, of: object, &findings) {
            var reader = GatewayReader(namespace: object.namespace ?? "", findings: findings)
            rules = reader.rules(spec, object)
            findings = reader.findings
        }
        return Parsed(object, value: rules, diagnoses: findings.diagnoses)
    }
}

/// Reads one Gateway; an error in a server leaves out that server, the others stay.
struct GatewayReader {
    let namespace: String
    var findings: Findings

    mutating func rules(_ spec: Istio_Networking_V1alpha3_Gateway, _ object: KubernetesObject) -> GatewayRules? {
        if spec.servers.isEmpty { self.findings.error("spec.servers", "at least one is needed") }
        var names: Set<String> = []
        var servers: [GatewayRules.Server] = []
        for (index, server) in spec.servers.enumerated() {
            let field = "spec.servers[\(index)]"
            if !server.name.isEmpty, !names.insert(server.name).inserted {
                self.findings.error("\(field).name", "`\(server.name)` is the name of another server")
                continue
            }
            if let server = self.server(server, field) { servers.append(server) }
        }
        guard !servers.isEmpty else { return nil }
        return GatewayRules(
            source: ObjectReference(kind: "Gateway", id: ObjectID(object)),
            createdAt: object.createdAt,
            selector: spec.selector,
            servers: servers
        )
    }

    private mutating func server(
        _ server: Istio_Networking_V1alpha3_Server,
        _ field: String
    ) -> GatewayRules.Server? {
        let errors = self.findings.errorCount
        let port = Port(server.port.number)
        if port == nil {
            self.findings.error("\(field).port.number", "\(server.port.number) is no port: 1 to 65535")
        }
        let word = self.serverProtocol(server.port.protocol, "\(field).port.protocol")
        let hosts = self.hosts(server.hosts, "\(field).hosts")
        let bind = self.bind(server.bind, "\(field).bind")
        let tls = word.flatMap { self.tls(server, $0, "\(field).tls") }
        if !server.defaultEndpoint.isEmpty {
            self.findings.warning("\(field).defaultEndpoint", "is not supported and has no effect")
        }
        guard let port, let word, self.findings.errorCount == errors else { return nil }
        return GatewayRules.Server(
            name: server.name,
            port: port,
            portName: server.port.name,
            serverProtocol: word,
            bind: bind,
            hosts: hosts,
            tls: tls,
            redirectsToHTTPS: server.tls.httpsRedirect && tls == nil
        )
    }

    private mutating func serverProtocol(_ text: String, _ field: String) -> GatewayRules.ServerProtocol? {
        if let word = GatewayRules.ServerProtocol(rawValue: text.lowercased()) { return word }
        // Requests of browsers to gRPC servers are ordinary HTTP for a proxy.
        if text.lowercased() == "grpc-web" { return .grpc }
        let found = text.isEmpty ? "is needed" : "`\(text)` is unknown"
        self.findings.error(field, "\(found): one of HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS")
        return nil
    }

    /// `name` or `namespace/name`; `*` for any namespace, `.` for that of the Gateway.
    private mutating func hosts(_ texts: [String], _ field: String) -> [GatewayRules.Host] {
        if texts.isEmpty { self.findings.error(field, "at least one is needed") }
        var result: [GatewayRules.Host] = []
        for (index, text) in texts.enumerated() {
            let place = "\(field)[\(index)]"
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let name = parts.last.flatMap({ HostName($0) }) else {
                self.findings.error(place, "`\(text)` is no host name")
                continue
            }
            var owner = GatewayRules.Host.Owner.any
            if parts.count == 2, parts[0] != "*" {
                guard parts[0] == "." || HostName(parts[0])?.isWildcard == false else {
                    self.findings.error(place, "`\(parts[0])` is no namespace")
                    continue
                }
                owner = .namespace(parts[0] == "." ? self.namespace : parts[0])
            }
            let host = GatewayRules.Host(owner: owner, name: name)
            if result.contains(host) {
                self.findings.warning(place, "`\(text)` stands here twice")
            } else {
                result.append(host)
            }
        }
        return result
    }

    private mutating func bind(_ text: String, _ field: String) -> IPAddress? {
        if text.isEmpty { return nil }
        if let address = IPAddress(text) { return address }
        let hint = text.hasPrefix("unix://") ? "unix sockets are not supported" : "is no IP address"
        self.findings.error(field, "`\(text)` \(hint)")
        return nil
    }
}
