import ArgumentParser
import Foundation
import KubernetesAPI

/// Lists the addresses that a workload's proxy gave to names under wildcards.
struct DNSVips: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vips",
        abstract: "List the addresses that a pod's proxy gave to names under wildcards.",
        discussion: """
            A ServiceEntry for *.rds.example.com says nothing of the names below it. When a pod looks one up, its proxy
            gives exactly that name an address of its own and leads connections to it to that name. An address stays with
            its name while connections to it are open, and an hour and more after its last use.

              lateen dns vips --from deploy/sleep
            """
    )

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }

    @Option(help: ArgumentHelp("Whose proxy.", valueName: "pod[.namespace]|deploy/name"))
    var from: String

    @Option(name: .shortAndLong, help: "The pod's namespace.")
    var namespace = "default"

    @Option(name: .shortAndLong, help: "table or json.")
    var output = Format.table

    func run() throws {
        let (target, namespace) = ProxyConfig.Options.target(self.from, self.namespace)
        let kubectl = Kubectl()
        let data = try kubectl.exec(
            target,
            namespace: namespace,
            container: try kubectl.proxyContainer(of: target, namespace: namespace),
            ["lateen-proxy", "request", "GET", "dns/vips"]
        )
        guard self.output == .table else { return print(String(decoding: data, as: UTF8.self), terminator: "") }
        let lines: [JSONValue]
        do {
            lines = try JSONValue.parse(data).array ?? []
        } catch {
            throw CommandFailure(description: "the proxy's answer is no JSON: \(error)")
        }
        var table = TextTable("NAME", "ADDRESSES", "CONNECTIONS", "UNUSED")
        for line in lines {
            table.add(
                line["name"]?.string ?? "-",
                (line["addresses"]?.array ?? []).compactMap(\.string).joined(separator: ","),
                "\(line["connections"]?.int ?? 0)",
                "\(line["unusedSeconds"]?.int ?? 0)s"
            )
        }
        print(table.isEmpty ? "no name under a wildcard has an address\n" : table.text, terminator: "")
    }
}
