import ArgumentParser
import Foundation

/// Shows how far each proxy has come with its configuration.
struct ProxyStatus: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy-status",
        abstract: "Show whether proxies have the newest configuration.",
        aliases: ["ps"]
    )

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }

    @Option(help: "The namespace of the control plane.")
    var istioNamespace = "istio-system"

    @Option(name: .shortAndLong, help: "table or json.")
    var output = Format.table

    @Argument(help: "Only the proxy of this pod, POD or POD.NAMESPACE.")
    var pod: String?

    /// The page `debug/syncz` of the control plane.
    private struct Page: Decodable {
        struct Proxy: Decodable {
            struct Kind: Decodable {
                var state: String
                var refusal: String?
            }

            var proxy: String
            var userAgent: String
            var kinds: [String: Kind]
        }

        var instance: String
        var proxies: [Proxy]
    }

    func run() throws {
        let data = try Kubectl().exec(
            "deploy/istiod",
            namespace: self.istioNamespace,
            container: "discovery",
            ["lateen-control", "request", "debug/syncz"]
        )
        if self.output == .json {
            FileHandle.standardOutput.write(data)
            return
        }
        let page = try JSONDecoder().decode(Page.self, from: data)
        let proxies = page.proxies.filter { proxy in
            self.pod.map { proxy.proxy == $0 || proxy.proxy.hasPrefix($0 + ".") } ?? true
        }
        var table = TextTable("NAME", "CDS", "LDS", "EDS", "RDS", "ISTIOD", "VERSION")
        for proxy in proxies {
            func state(_ kind: String) -> String { proxy.kinds[kind]?.state ?? "NOT SENT" }
            table.add(
                proxy.proxy,
                state("CDS"),
                state("LDS"),
                state("EDS"),
                state("RDS"),
                page.instance,
                proxy.userAgent.split(separator: "/").last.map(String.init) ?? "-"
            )
        }
        if table.isEmpty {
            print(self.pod.map { "no proxy of \($0) is connected" } ?? "no proxies are connected")
            return
        }
        print(table.text, terminator: "")
        for proxy in proxies {
            for (kind, state) in proxy.kinds.sorted(by: { $0.key < $1.key }) {
                if let refusal = state.refusal { print("\n\(proxy.proxy) refused \(kind): \(refusal)") }
            }
        }
    }
}
