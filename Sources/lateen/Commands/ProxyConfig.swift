import ArgumentParser
import Foundation
import KubernetesAPI

/// Shows what a proxy does at this moment.
struct ProxyConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy-config",
        abstract: "Show the configuration that a proxy works by.",
        subcommands: [Listeners.self, Routes.self, Clusters.self, Endpoints.self, Secrets.self],
        aliases: ["pc"]
    )

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json, yaml }

    struct Options: ParsableArguments {
        @Argument(help: "The pod, POD or POD.NAMESPACE, or a controller such as deploy/NAME.")
        var pod: String?

        @Option(name: .shortAndLong, help: "The pod's namespace.")
        var namespace = "default"

        @Option(name: .shortAndLong, help: "table, json or yaml.")
        var output = Format.table

        @Option(help: "Only what is for this port.")
        var port: Int?

        @Option(help: "Only what is for this host name.")
        var fqdn: String?

        @Option(name: .shortAndLong, help: "Read a config_dump from this file instead of a pod.")
        var file: String?

        func validate() throws {
            if self.pod == nil, self.file == nil {
                throw ValidationError("name a pod, such as reviews-v1-0.default, or a file with --file")
            }
        }

        /// Everything that the proxy works by.
        func dump() throws -> ConfigDump {
            let data: Data
            if let file = self.file {
                guard let content = FileManager.default.contents(atPath: file) else {
                    throw CommandFailure(description: "cannot read \(file)")
                }
                data = content
            } else {
                let (target, namespace) = Self.target(self.pod ?? "", self.namespace)
                let kubectl = Kubectl()
                data = try kubectl.exec(
                    target,
                    namespace: namespace,
                    container: try kubectl.proxyContainer(of: target, namespace: namespace),
                    ["lateen-proxy", "request", "GET", "config_dump?include_eds"]
                )
            }
            do {
                return ConfigDump(json: try JSONValue.parse(data))
            } catch {
                throw CommandFailure(description: "the proxy's answer is no JSON: \(error)")
            }
        }

        /// Prints what the filters leave, as it is or as a table.
        func show(_ items: [JSONValue], _ table: ([JSONValue]) -> TextTable) {
            switch self.output {
            case .table: print(table(items).text, terminator: "")
            case .json: print(JSONValue.array(items).text(pretty: true))
            case .yaml: print(YAML.serialize(.array(items)), terminator: "")
            }
        }

        /// Pods are named as `proxy-status` names them; the last dot separates the namespace.
        static func target(_ text: String, _ namespace: String) -> (String, String) {
            guard let dot = text.lastIndex(of: ".") else { return (text, namespace) }
            return (String(text[..<dot]), String(text[text.index(after: dot)...]))
        }
    }

    struct Listeners: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Where connections come in and where they go.",
            aliases: ["listener", "l"]
        )
        @OptionGroup var options: Options

        func run() throws {
            let items = try self.options.dump().listeners.filter { listener in
                self.options.port.map { listener.port == $0 } ?? true
                    && self.options.fqdn.map { listener.text().contains($0) } ?? true
            }
            self.options.show(items, ConfigDump.listenerTable)
        }
    }

    struct Routes: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Which request goes to which cluster.",
            aliases: ["route", "r"]
        )
        @OptionGroup var options: Options

        func run() throws {
            let items = try self.options.dump().routes.filter { route in
                self.options.port.map { route["name"]?.string?.split(separator: ":").last == "\($0)" } ?? true
                    && self.options.fqdn.map { route.text().contains($0) } ?? true
            }
            self.options.show(items, ConfigDump.routeTable)
        }
    }

    struct Clusters: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Destinations.", aliases: ["cluster", "c"])
        @OptionGroup var options: Options

        func run() throws {
            let items = try self.options.dump().clusters.filter { cluster in
                let name = ClusterName(cluster["name"]?.string ?? "")
                return self.options.port.map { name.port == "\($0)" } ?? true
                    && self.options.fqdn.map { name.host == $0 } ?? true
            }
            self.options.show(items, ConfigDump.clusterTable)
        }
    }

    struct Endpoints: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Addresses behind clusters.",
            aliases: ["endpoint", "ep"]
        )
        @OptionGroup var options: Options

        func run() throws {
            let items = try self.options.dump().endpoints.filter { assignment in
                let name = ClusterName(assignment.field("cluster_name")?.string ?? "")
                return self.options.port.map { name.port == "\($0)" } ?? true
                    && self.options.fqdn.map { name.host == $0 } ?? true
            }
            self.options.show(items, ConfigDump.endpointTable)
        }
    }
}
