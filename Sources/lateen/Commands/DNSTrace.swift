import ArgumentParser
import Foundation
import KubernetesAPI

/// Looks a name up as a workload does, and shows each step.
struct DNSTrace: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Look a name up as a pod does, and show who answered each question.",
        discussion: """
            The pod's sidecar asks for each name that a client would try, in the order of the pod's resolv.conf, and stops
            where clients stop. A line per question says who answered it (the name table, or the server that was asked),
            with which code, for how long it may be kept, and which object made the record.

              lateen dns trace productpage.ns1.svc.cluster.local --from deploy/sleep
              lateen dns trace mysql.example.com --from sleep-0.default --type A -o json

            Exit code: 0 if a record was found, 3 if not.
            """
    )

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }

    @Argument(help: "The name; with a dot at its end no search domain is tried.")
    var name: String

    @Option(help: ArgumentHelp("Who would look it up.", valueName: "pod[.namespace]|deploy/name"))
    var from: String

    @Option(name: .shortAndLong, help: "The pod's namespace.")
    var namespace = "default"

    @Option(help: "A record type, such as A, AAAA, SRV; without it A and AAAA, as clients do.")
    var type: String?

    @Option(name: .shortAndLong, help: "table or json.")
    var output = Format.table

    @Option(help: "The namespace of the control plane.")
    var istioNamespace = "istio-system"

    func run() throws {
        let kubectl = Kubectl()
        let (target, namespace) = ProxyConfig.Options.target(self.from, self.namespace)
        let pod = try kubectl.pod(of: target, namespace: namespace)
        var items = [URLQueryItem(name: "name", value: self.name)]
        if let type = self.type { items.append(URLQueryItem(name: "type", value: type)) }
        let data = try kubectl.exec(
            pod,
            namespace: namespace,
            container: try kubectl.proxyContainer(of: pod, namespace: namespace),
            ["lateen-proxy", "request", "GET", Self.path("dns/trace", items)]
        )
        let trace = try DNSTracePage(
            try JSONValue.parse(data),
            objects: { try self.objects(of: $0, "\(pod).\(namespace)", kubectl) }
        )
        switch self.output {
        case .json: print(trace.json.text(pretty: true))
        case .table: print(trace.text(pod: "\(namespace)/\(pod)"), terminator: "")
        }
        if !trace.isFound { throw ExitCode(3) }
    }

    /// Which objects made the records of these hosts; asks the control plane.
    private func objects(of hosts: [String], _ proxy: String, _ kubectl: Kubectl) throws -> [String: [String]] {
        guard !hosts.isEmpty else { return [:] }
        let items = [URLQueryItem(name: "proxyID", value: proxy)] + hosts.map { URLQueryItem(name: "host", value: $0) }
        let data = try kubectl.exec(
            "deploy/istiod",
            namespace: self.istioNamespace,
            container: "discovery",
            ["lateen-control", "request", Self.path("debug/ndsz", items)]
        )
        return try JSONDecoder().decode([String: [String]].self, from: data)
    }

    static func path(_ path: String, _ items: [URLQueryItem]) -> String {
        var query = URLComponents()
        query.path = path
        query.queryItems = items
        // `+` means a space to those who read forms.
        return (query.string ?? "").replacingOccurrences(of: "+", with: "%2B")
    }
}
