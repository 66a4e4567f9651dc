import ArgumentParser
import Foundation
import KubernetesAPI
import PolicyEngine

/// Follows a request to the proxies that ask the policy engine about it, and asks them and the engine.
struct PolicyTraceWalk {
    let kubectl: Kubectl
    let istioNamespace: String
    let asksAdapters: Bool
    let isVerbose: Bool

    /// What was found at one proxy.
    struct Stop {
        /// As the control plane says it (`engines` of an explanation).
        var visit: JSONValue
        /// The proxy's own page.
        var proxy: Result<JSONValue, CommandFailure>
        var engine: Result<PolicyTrace, CommandFailure>?
        /// The engine's pod, `NAMESPACE/NAME`.
        var enginePod: String?
    }

    func run(from: String, namespace: String, _ query: [URLQueryItem], asJSON: Bool) throws {
        let (target, namespace) = ProxyConfig.Options.target(from, namespace)
        let pod = try self.kubectl.pod(of: target, namespace: namespace)
        let items = [URLQueryItem(name: "pod", value: "\(namespace)/\(pod)")] + query
        let data = try self.kubectl.exec(
            "deploy/istiod",
            namespace: self.istioNamespace,
            container: "discovery",
            ["lateen-control", "request", DNSTrace.path("debug/explain", items)]
        )
        let explanation = try JSONValue.parse(data)["explanation"] ?? .null
        let stops = try (explanation["engines"]?.array ?? []).map(self.stop)
        let page = PolicyTracePage(explanation: explanation, stops: stops)
        print(
            asJSON ? try page.json.text(pretty: true) : page.text(isVerbose: self.isVerbose),
            terminator: asJSON ? "\n" : ""
        )
        if let code = page.verdict.exitCode { throw code }
    }

    private func stop(_ visit: JSONValue) throws -> Stop {
        let parts = (visit["pod"]?.string ?? "").split(separator: "/").map(String.init)
        guard parts.count == 2 else { throw CommandFailure(description: "the control plane names no proxy") }
        var stop = Stop(visit: visit, proxy: .failure(CommandFailure(description: "")))
        do {
            let data = try self.kubectl.exec(
                parts[1],
                namespace: parts[0],
                container: try self.kubectl.proxyContainer(of: parts[1], namespace: parts[0]),
                ["lateen-proxy", "request", "GET", DNSTrace.path("policy/trace", Self.items(visit))]
            )
            stop.proxy = .success(try JSONValue.parse(data))
        } catch {
            stop.proxy = .failure(CommandFailure(description: "\(error)"))
        }
        guard case .success(let page) = stop.proxy, let attributes = page["attributes"] else { return stop }
        // What a client's proxy only tells, its service's tells as well.
        let isOutbound = visit["isOutbound"]?.bool == true
        guard let cluster = page["checks"]?.string ?? (isOutbound ? nil : page["reports"]?.string) else { return stop }
        do {
            let inspector = EngineInspector(kubectl: self.kubectl)
            let (name, namespace) = try inspector.pod(behind: cluster)
            stop.enginePod = "\(namespace)/\(name)"
            stop.engine = .success(
                try inspector.trace(attributes, pod: name, namespace: namespace, asksAdapters: self.asksAdapters)
            )
        } catch {
            stop.engine = .failure(CommandFailure(description: "\(error)"))
        }
        return stop
    }

    /// The request as the proxy's page wants it.
    private static func items(_ visit: JSONValue) -> [URLQueryItem] {
        let headers = (visit["headers"]?.array ?? []).compactMap(\.string).joined(separator: "\n")
        let protocols = (visit["protocols"]?.array ?? []).compactMap(\.string).joined(separator: ",")
        let values: [(String, String?)] = [
            ("destination", visit["destination"]?.string), ("source", visit["source"]?.string),
            ("peer", visit["peer"]?.string), ("method", visit["method"]?.string), ("target", visit["target"]?.string),
            ("authority", visit["authority"]?.string), ("headers", headers),
            ("server-name", visit["serverName"]?.string), ("protocols", protocols),
            ("tls", visit["isTLS"]?.bool == true ? "true" : nil),
            ("secure", visit["isSecure"]?.bool == true ? "true" : nil),
            ("outbound", visit["isOutbound"]?.bool == true ? "true" : nil),
        ]
        return values.compactMap { name, value in
            value.flatMap { $0.isEmpty ? nil : URLQueryItem(name: name, value: $0) }
        }
    }
}
