import ArgumentParser
import Foundation
import KubernetesAPI

/// Looks into authorization.
struct Authz: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look into authorization.",
        subcommands: [Check.self]
    )

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the AuthorizationPolicies that a proxy enforces.",
            discussion: """
                Read from the proxy's configuration: what stands here is in force, what does not is not.
                `lateen explain request` says what becomes of a certain request.
                """
        )

        @OptionGroup var options: ProxyConfig.Options

        /// A policy as proxies name its rules: `ns[NAMESPACE]-policy[NAME]-rule[INDEX]`.
        private struct Found: Hashable {
            var action: String
            var policy: String
        }

        func run() throws {
            let dump = try self.options.dump()
            var rules: [Found: Set<String>] = [:]
            for filter in dump.listeners.flatMap(Self.filters) {
                guard let settings = filter.field("typed_config"),
                    settings["@type"]?.string?.hasSuffix(".rbac.v3.RBAC") == true
                else { continue }
                for (field, suffix) in [("rules", ""), ("shadow_rules", " (dry run)")] {
                    guard let part = settings.field(field) else { continue }
                    let action = (part["action"]?.string ?? "ALLOW") + suffix
                    for name in (part["policies"]?.object ?? [:]).keys {
                        let found = Found(action: Self.action(action, name), policy: Self.policy(name))
                        rules[found, default: []].insert(name)
                    }
                }
            }
            let sorted = rules.sorted { ($0.key.action, $0.key.policy) < ($1.key.action, $1.key.policy) }
            switch self.options.output {
            case .table:
                var table = TextTable("ACTION", "AuthorizationPolicy", "RULES")
                for (found, names) in sorted { table.add(found.action, found.policy, "\(names.count)") }
                print(table.isEmpty ? "No AuthorizationPolicy applies to this proxy.\n" : table.text, terminator: "")
            case .json, .yaml:
                let list = JSONValue.array(
                    sorted.map { found, names in
                        [
                            "action": .string(found.action), "policy": .string(found.policy),
                            "rules": JSONValue(names.sorted()),
                        ]
                    }
                )
                print(
                    self.options.output == .json ? list.text(pretty: true) + "\n" : YAML.serialize(list),
                    terminator: ""
                )
            }
        }

        /// All filters of a listener, those inside HTTP included.
        private static func filters(_ listener: JSONValue) -> [JSONValue] {
            let chains =
                (listener.field("filter_chains")?.array ?? [])
                + [listener.field("default_filter_chain")].compactMap { $0 }
            let filters = chains.flatMap { $0["filters"]?.array ?? [] }
            return filters + filters.flatMap { $0.field("typed_config")?.field("http_filters")?.array ?? [] }
        }

        private static func action(_ action: String, _ name: String) -> String {
            name.hasPrefix("istio-ext-authz-") ? "CUSTOM" : action
        }

        /// `NAME.NAMESPACE`
        private static func policy(_ name: String) -> String {
            guard let namespace = name.firstMatch(of: /ns\[([^\]]*)\]-policy\[([^\]]*)\]/) else { return name }
            return "\(namespace.2).\(namespace.1)"
        }
    }
}
