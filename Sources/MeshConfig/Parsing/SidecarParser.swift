import IstioAPI
import KubernetesAPI
import MeshModel

/// Reads Sidecars: what their workloads may reach, and by which ports they are reached.
enum SidecarParser {
    static func parse(_ object: KubernetesObject) -> Parsed<SidecarRules> {
        var findings = Findings("Sidecar", object)
        guard let spec = Fields.spec(Istio_Networking_V1alpha3_Sidecar.self, of: object, &findings) else {
            return Parsed(object, value: nil, diagnoses: findings.diagnoses)
        }
        var rules = SidecarRules(
            source: ObjectReference(kind: "Sidecar", id: ObjectID(object)),
            createdAt: object.createdAt,
            selector: spec.workloadSelector.labels
        )
        rules.entrances = self.entrances(spec.ingress, &findings)
        if spec.hasInboundConnectionPool {
            findings.warning("spec.inboundConnectionPool", "is not supported and has no effect")
        }
        if !spec.egress.isEmpty {
            rules.imports = spec.egress.enumerated().flatMap { index, listener in
                self.imports(listener, "spec.egress[\(index)]", &findings)
            }
        }
        if spec.hasOutboundTrafficPolicy {
            rules.outboundPolicy = self.policy(spec.outboundTrafficPolicy, &findings)
        }
        return Parsed(object, value: rules, diagnoses: findings.diagnoses)
    }

    /// Without one good entrance the ports of Services are used: a mistake must not shut a workload off.
    private static func entrances(
        _ listeners: [Istio_Networking_V1alpha3_IstioIngressListener],
        _ findings: inout Findings
    ) -> [SidecarRules.Entrance] {
        var ports: Set<Port> = []
        return listeners.enumerated().compactMap { index, listener in
            let field = "spec.ingress[\(index)]"
            for (name, isSet) in [
                ("bind", !listener.bind.isEmpty), ("tls", listener.hasTls),
                ("connectionPool", listener.hasConnectionPool),
            ] where isSet { findings.warning("\(field).\(name)", "is not supported and has no effect") }
            if case .none = listener.captureMode {
                findings.warning("\(field).captureMode", "NONE is not supported and has no effect")
            }
            let port = Port(listener.port.number)
            if port == nil {
                findings.error("\(field).port.number", "\(listener.port.number) is no port: 1 to 65535")
            } else if let port, !ports.insert(port).inserted {
                findings.error("\(field).port.number", "\(port) is the port of another item")
                return nil
            }
            let word = ApplicationProtocol(word: listener.port.protocol)
            if word == nil {
                let found = listener.port.protocol.isEmpty ? "is needed" : "`\(listener.port.protocol)` is unknown"
                findings.error(
                    "\(field).port.protocol",
                    "\(found): one of HTTP, HTTPS, HTTP2, GRPC, MONGO, TCP, TLS"
                )
            }
            let target = self.target(listener.defaultEndpoint, "\(field).defaultEndpoint", &findings)
            guard let port, let word, let target else { return nil }
            return SidecarRules.Entrance(port: port, applicationProtocol: word, target: target)
        }
    }

    private static func target(
        _ text: String,
        _ field: String,
        _ findings: inout Findings
    ) -> SidecarRules.Entrance.Target? {
        if text.isEmpty { return .dialled }
        if let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]).flatMap(Port.init) {
            switch text[..<colon] {
            case "127.0.0.1": return .loopback(port, isIPv6: false)
            case "[::1]": return .loopback(port, isIPv6: true)
            case "0.0.0.0", "[::]": return .workload(port)
            default: ()
            }
        }
        let hint = text.hasPrefix("unix://") ? "unix sockets are not supported" : "is no place of the workload itself"
        findings.error(field, "`\(text)` \(hint): 127.0.0.1:PORT, [::1]:PORT, 0.0.0.0:PORT or [::]:PORT")
        return nil
    }

    private static func imports(
        _ listener: Istio_Networking_V1alpha3_IstioEgressListener,
        _ field: String,
        _ findings: inout Findings
    ) -> [SidecarRules.Import] {
        if !listener.bind.isEmpty {
            findings.warning("\(field).bind", "is not supported and has no effect: connections are redirected")
        }
        if case .none = listener.captureMode {
            findings.warning("\(field).captureMode", "NONE is not supported and has no effect")
        }
        if listener.hosts.isEmpty { findings.error("\(field).hosts", "at least one is needed, such as `./*`") }
        let port = Fields.port(listener.port.number, field: "\(field).port.number", &findings)
        // A listener for a port that is none must not become one for all of them.
        if listener.port.number != 0, port == nil { return [] }
        return listener.hosts.enumerated().compactMap { index, text in
            self.host(text, "\(field).hosts[\(index)]", &findings).map {
                SidecarRules.Import(namespace: $0.namespace, host: $0.host, port: port)
            }
        }
    }

    /// `namespace/host`; `nil` for what brings nothing in: a mistake, or the namespace `~`.
    private static func host(
        _ text: String,
        _ field: String,
        _ findings: inout Findings
    ) -> (namespace: SidecarRules.Import.Namespace, host: HostName)? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else {
            findings.error(
                field,
                "`\(text)` is not of the form NAMESPACE/HOST, such as `./*` or `default/*.example.com`"
            )
            return nil
        }
        guard let host = HostName(parts[1]) else {
            findings.error(field, "`\(parts[1])` is no host name, no wildcard and not `*`")
            return nil
        }
        if !host.isWildcard, !host.text.contains(".") {
            findings.warning(
                field,
                "`\(host)` is compared with whole names, such as `\(host).default.svc.cluster.local`"
            )
        }
        switch parts[0] {
        case "~": return nil
        case "*": return (.any, host)
        case ".": return (.own, host)
        default:
            guard let name = HostName(parts[0]), !name.isWildcard, !name.text.contains(".") else {
                findings.error(field, "`\(parts[0])` is no namespace, nor one of `*`, `.`, `~`")
                return nil
            }
            return (.named(name.text), host)
        }
    }

    private static func policy(
        _ policy: Istio_Networking_V1alpha3_OutboundTrafficPolicy,
        _ findings: inout Findings
    ) -> MeshSettings.OutboundPolicy? {
        if policy.hasEgressProxy {
            findings.warning("spec.outboundTrafficPolicy.egressProxy", "is not supported and has no effect")
        }
        switch policy.mode {
        case .registryOnly: return .registryOnly
        case .allowAny: return .allowAny
        case .UNRECOGNIZED(let number):
            findings.error(
                "spec.outboundTrafficPolicy.mode",
                "\(number) is neither REGISTRY_ONLY nor ALLOW_ANY"
            )
            return nil
        }
    }
}
