import IstioAPI
import KubernetesAPI
import MeshModel

enum VirtualServiceParser {
    static func parse(_ object: KubernetesObject, domain: String) -> Parsed<RouteRules> {
        var findings = Findings("VirtualService", object)
        var rules: RouteRules?
        if let spec = Fields.spec(Istio_Networking_V1alpha3_VirtualService.self, of: object, &findings) {
            var reader = VirtualServiceReader(
                namespace: object.namespace ?? "",
                domain: domain,
                findings: findings
            )
            rules = reader.rules(spec, object)
            findings = reader.findings
        }
        return Parsed(object, value: rules, diagnoses: findings.diagnoses)
    }
}

/// Reads one VirtualService.
///
/// Any error leaves out the whole: with one rule missing, requests would fall to the next rule, which was not meant
/// for them.
struct VirtualServiceReader {
    let namespace: String
    let domain: String
    var findings: Findings

    mutating func rules(_ spec: Istio_Networking_V1alpha3_VirtualService, _ object: KubernetesObject) -> RouteRules? {
        // One without hosts is there for others to delegate to.
        let isDelegate = spec.hosts.isEmpty && spec.gateways.isEmpty && spec.tls.isEmpty && spec.tcp.isEmpty
        let hosts = isDelegate ? [] : self.hosts(spec.hosts)
        var rules = RouteRules(
            source: ObjectReference(kind: "VirtualService", id: ObjectID(object)),
            createdAt: object.createdAt,
            hosts: hosts,
            gateways: spec.gateways.isEmpty ? ["mesh"] : spec.gateways.map(self.gateway),
            visibility: Fields.visibility(spec.exportTo, namespace: self.namespace)
        )
        if spec.http.isEmpty, spec.tls.isEmpty, spec.tcp.isEmpty {
            self.findings.error("spec", "has no http, tls or tcp rule")
        }
        for (index, rule) in spec.http.enumerated() {
            if let rule = self.http(rule, "spec.http[\(index)]") { rules.http.append(rule) }
        }
        for (index, rule) in spec.tls.enumerated() {
            let field = "spec.tls[\(index)]"
            if rule.match.isEmpty { self.findings.error("\(field).match", "is needed, with sniHosts") }
            let matches = rule.match.enumerated().map { self.tls($1, hosts, "\(field).match[\($0)]") }
            rules.tls.append(
                ConnectionRouteRule(matches: matches, destinations: self.destinations(rule.route, field))
            )
        }
        for (index, rule) in spec.tcp.enumerated() {
            let field = "spec.tcp[\(index)]"
            let matches = rule.match.enumerated().map { self.tcp($1, "\(field).match[\($0)]") }
            rules.tcp.append(
                ConnectionRouteRule(matches: matches, destinations: self.destinations(rule.route, field))
            )
        }
        return self.findings.hasErrors ? nil : rules
    }

    private mutating func hosts(_ texts: [String]) -> [HostName] {
        if texts.isEmpty { self.findings.error("spec.hosts", "at least one is needed") }
        return texts.enumerated().compactMap { index, text in
            if let host = Fields.host(text, namespace: self.namespace, domain: self.domain) { return host }
            self.findings.error("spec.hosts[\(index)]", "`\(text)` is no host name")
            return nil
        }
    }

    /// `mesh`, or a gateway by its full name; a short one, or one after `./`, is of this namespace.
    ///
    /// Istio 1.0 wrote a gateway of another namespace as it does services: `name.namespace.svc.cluster.local`.
    func gateway(_ text: String) -> String {
        if text == "mesh" { return text }
        if text.hasPrefix("./") { return "\(self.namespace)/\(text.dropFirst(2))" }
        if text.contains("/") { return text }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return labels.count > 1 ? "\(labels[1])/\(labels[0])" : "\(self.namespace)/\(text)"
    }

    // MARK: Connections

    private mutating func tcp(_ match: Istio_Networking_V1alpha3_L4MatchAttributes, _ field: String) -> ConnectionMatch
    {
        var result = ConnectionMatch()
        result.destinationSubnets = Fields.blocks(
            match.destinationSubnets,
            field: "\(field).destinationSubnets",
            &self.findings
        )
        result.port = Fields.port(match.port, field: "\(field).port", &self.findings)
        result.sourceLabels = match.sourceLabels
        result.sourceNamespace = match.sourceNamespace.isEmpty ? nil : match.sourceNamespace
        result.gateways = match.gateways.map(self.gateway)
        if !match.sourceSubnet.isEmpty {
            self.findings.error("\(field).sourceSubnet", "is not supported: use sourceLabels")
        }
        return result
    }

    private mutating func tls(
        _ match: Istio_Networking_V1alpha3_TLSMatchAttributes,
        _ hosts: [HostName],
        _ field: String
    ) -> ConnectionMatch {
        var result = ConnectionMatch()
        if match.sniHosts.isEmpty { self.findings.error("\(field).sniHosts", "at least one is needed") }
        for (index, text) in match.sniHosts.enumerated() {
            guard let name = Fields.host(text, namespace: self.namespace, domain: self.domain) else {
                self.findings.error("\(field).sniHosts[\(index)]", "`\(text)` is no host name")
                continue
            }
            if !hosts.contains(where: { $0 == name || $0.covers(name) }) {
                self.findings.error("\(field).sniHosts[\(index)]", "`\(text)` is not within spec.hosts")
            }
            result.serverNames.append(name)
        }
        result.destinationSubnets = Fields.blocks(
            match.destinationSubnets,
            field: "\(field).destinationSubnets",
            &self.findings
        )
        result.port = Fields.port(match.port, field: "\(field).port", &self.findings)
        result.sourceLabels = match.sourceLabels
        result.sourceNamespace = match.sourceNamespace.isEmpty ? nil : match.sourceNamespace
        result.gateways = match.gateways.map(self.gateway)
        return result
    }

    private mutating func destinations(
        _ routes: [Istio_Networking_V1alpha3_RouteDestination],
        _ field: String
    ) -> [RouteDestination] {
        if routes.isEmpty { self.findings.error("\(field).route", "at least one destination is needed") }
        self.checkWeights(routes.map(\.weight), field)
        return routes.enumerated().compactMap { index, route in
            self.destination(route.destination, weight: route.weight, "\(field).route[\(index)].destination")
        }
    }

    // MARK: Destinations

    mutating func destination(
        _ destination: Istio_Networking_V1alpha3_Destination,
        weight: Int32,
        _ field: String
    ) -> RouteDestination? {
        guard let host = Fields.host(destination.host, namespace: self.namespace, domain: self.domain),
            !host.isWildcard
        else {
            let found = destination.host.isEmpty ? "is needed" : "`\(destination.host)` is no host name"
            self.findings.error("\(field).host", found)
            return nil
        }
        return RouteDestination(
            host: host,
            subset: destination.subset.isEmpty ? nil : destination.subset,
            port: Fields.port(destination.port.number, field: "\(field).port.number", &self.findings),
            weight: UInt32(max(0, weight))
        )
    }

    /// Facts #36: weights are not negative and not all 0, unless there is only one destination.
    mutating func checkWeights(_ weights: [Int32], _ field: String) {
        for (index, weight) in weights.enumerated() where weight < 0 {
            self.findings.error("\(field).route[\(index)].weight", "must not be negative")
        }
        let total = weights.reduce(Int64(0)) { $0 + Int64($1) }
        if weights.count > 1, total == 0 {
            self.findings.error("\(field).route", "the weights of the destinations add up to 0")
        }
        // What the proxies' protocol can carry.
        if total > Int64(UInt32.max) { self.findings.error("\(field).route", "the weights add up to too much") }
    }
}
