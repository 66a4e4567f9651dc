internal import Foundation
internal import MeshModel
internal import SwiftProtobuf
package import TrafficEngine
internal import XDSAPI

/// All that is wrong with a bootstrap file.
package struct BootstrapError: Error, Sendable, CustomStringConvertible {
    package var file: String
    package var findings: [Finding]

    package var description: String {
        if self.findings.count == 1 { return "\(self.file): \(self.findings[0])" }
        let list = self.findings.map { "\n  \($0)" }.joined()
        return "\(self.file): \(self.findings.count) mistakes; nothing was started:\(list)"
    }
}

/// What a bootstrap file asks for.
package struct Bootstrap: Sendable {
    package var state: ProxyState
    /// Where the administration interface listens; `nil`: nowhere.
    package var admin: NetworkAddress?
    /// The resources as they stood in the file.
    package var received: ReceivedResources
}

/// Reads an Envoy bootstrap (YAML or JSON) with `static_resources`.
///
/// The same file runs on Envoy. What we do not support is not skipped but named, with its path, and all mistakes are
/// reported together.
package enum BootstrapLoader {
    package static func load(file: String) throws(BootstrapError) -> Bootstrap {
        let text: String
        do { text = try String(contentsOfFile: file, encoding: .utf8) } catch {
            let reason = FileManager.default.fileExists(atPath: file) ? "cannot be read as UTF-8" : "no such file"
            throw BootstrapError(file: file, findings: [Finding(path: "", message: reason)])
        }
        return try Self.load(text: text, file: file)
    }

    /// Reads a bootstrap that is at hand as text; `file` is how it is called in messages.
    package static func load(text: String, file: String) throws(BootstrapError) -> Bootstrap {
        let tree: ConfigurationTree
        do { tree = try ConfigurationTree(parsing: text) } catch {
            let lines = "\(error)".split(separator: "\n").prefix(1).joined()
            throw BootstrapError(file: file, findings: [Finding(path: "", message: "is no valid YAML: \(lines)")])
        }
        guard case .map = tree else {
            throw BootstrapError(file: file, findings: [Finding(path: "", message: "holds no bootstrap configuration")])
        }
        XDSTypes.register()
        var audit = TreeAudit()
        let cleaned = audit.clean(tree, as: "envoy.config.bootstrap.v3.Bootstrap", at: "")
        var reader = BootstrapReader()
        let bootstrap = reader.read(cleaned)
        // What was taken out is missing now; that it is missing is no news.
        let named = audit.findings.list + reader.unreadable.list
        let more = reader.findings.list.filter { finding in
            !named.contains { other in
                finding.path == other.path || other.path.hasPrefix(finding.path + ".")
                    || finding.path.hasPrefix(other.path + ".") || other.path.hasPrefix(finding.path + "[")
            }
        }
        guard named.isEmpty, more.isEmpty else { throw BootstrapError(file: file, findings: named + more) }
        return bootstrap
    }
}

/// Builds what a cleaned file says.
private struct BootstrapReader {
    var findings = Findings()
    /// Parts whose values do not fit their fields.
    var unreadable = Findings()
    private var registry = ClusterRegistry()
    private var received = ReceivedResources()

    mutating func read(_ tree: ConfigurationTree) -> Bootstrap {
        let resources = tree["static_resources"]
        let clusters = self.clusters(resources?["clusters"])
        let listeners = self.listeners(resources?["listeners"])
        if listeners.isEmpty, self.findings.isEmpty, self.unreadable.isEmpty {
            self.findings.add("static_resources.listeners", "at least one listener is needed")
        }
        self.checkReferences(listeners, to: clusters)
        var table = [Cluster?](repeating: nil, count: self.registry.count)
        for cluster in clusters { table[cluster.id.index] = cluster }
        return Bootstrap(
            state: ProxyState(revision: 1, listeners: listeners, clusters: table),
            admin: self.admin(tree["admin"]),
            received: self.received
        )
    }

    /// Elements of a list, decoded; a field that has the wrong type spoils its own element only.
    private mutating func decode<M: SwiftProtobuf.Message>(
        _ tree: ConfigurationTree?,
        _ type: M.Type,
        at path: String
    ) -> [(path: String, message: M)] {
        guard case .list(let elements)? = tree else {
            if let tree, case .null = tree { return [] }
            if tree != nil { self.findings.add(path, "a list is needed") }
            return []
        }
        return elements.enumerated().compactMap { index, element in
            let path = "\(path)[\(index)]"
            do { return (path, try M(jsonString: element.json)) } catch {
                self.unreadable.add(path, "cannot be read: \(Self.words(error))")
                return nil
            }
        }
    }

    private static func words(_ error: any Error) -> String {
        switch error as? JSONDecodingError {
        case .malformedNumber, .numberRange: "a number is malformed or out of range"
        case .malformedString: "text is needed where something else stands"
        case .malformedBool: "true or false is needed where something else stands"
        case .malformedDuration: "a duration is malformed; write it as `1.5s`"
        case .unrecognizedEnumValue: "a word is not one of those allowed in its place"
        case .conflictingOneOf: "two fields exclude each other"
        default: "\(error)"
        }
    }

    private mutating func clusters(_ tree: ConfigurationTree?) -> [Cluster] {
        let path = "static_resources.clusters"
        var names: Set<String> = []
        var result: [Cluster] = []
        for (path, message) in self.decode(tree, Envoy_Config_Cluster_V3_Cluster.self, at: path) {
            let builder = ClusterBuilder(message, at: path)
            if builder.endpointsName != nil {
                self.findings.add(
                    "\(path).type",
                    "EDS needs a control plane; supported here: STATIC, STRICT_DNS, LOGICAL_DNS, ORIGINAL_DST"
                )
            }
            if !names.insert(message.name).inserted {
                self.findings.add("\(path).name", "there is another cluster `\(message.name)`")
            }
            let id = self.registry.id(of: message.name)
            if let cluster = builder.build(id: id, endpoints: [], audits: true, &self.findings) {
                result.append(cluster)
                self.received.clusters.append(Self.received(message, message.name))
            }
        }
        return result
    }

    private mutating func listeners(_ tree: ConfigurationTree?) -> [Listener] {
        let path = "static_resources.listeners"
        var names: Set<String> = []
        var result: [Listener] = []
        for (path, message) in self.decode(tree, Envoy_Config_Listener_V3_Listener.self, at: path) {
            if !message.name.isEmpty, !names.insert(message.name).inserted {
                self.findings.add("\(path).name", "there is another listener `\(message.name)`")
            }
            guard let listener = ListenerBuilder.build(message, of: nil, at: path, &self.registry, &self.findings)
            else {
                continue
            }
            if !listener.routeNames.isEmpty {
                self.findings.add(path, "rds needs a control plane; supported here: route_config")
            }
            result.append(listener)
            self.received.listeners.append(Self.received(message, listener.name))
        }
        return result
    }

    private static func received(_ message: some SwiftProtobuf.Message, _ name: String) -> ReceivedResource {
        // Packing fails only for messages with required fields, which proto3 has not.
        let any = (try? Google_Protobuf_Any(message: message)) ?? Google_Protobuf_Any()
        return ReceivedResource(
            name: name,
            version: "",
            resource: any,
            updated: Google_Protobuf_Timestamp(date: Date())
        )
    }

    /// Envoy refuses a static route to a cluster that does not exist, and so do we.
    private mutating func checkReferences(_ listeners: [Listener], to clusters: [Cluster]) {
        let known = Set(clusters.map(\.name))
        var reported: Set<String> = []
        for listener in listeners {
            for chain in listener.chains + [listener.defaultChain].compactMap({ $0 }) {
                for name in chain.clusterNames where !known.contains(name) && reported.insert(name).inserted {
                    // A cluster that was refused has been named already.
                    if self.findings.isEmpty, self.unreadable.isEmpty {
                        self.findings.add(
                            "static_resources.clusters",
                            "there is no cluster `\(name)`, which listener `\(listener.name)` sends to"
                        )
                    }
                }
            }
        }
    }

    private mutating func admin(_ tree: ConfigurationTree?) -> NetworkAddress? {
        guard let tree else { return nil }
        do {
            let admin = try Envoy_Config_Bootstrap_V3_Admin(jsonString: tree.json)
            guard admin.hasAddress else { return nil }
            return AddressBuilder.address(admin.address, at: "admin.address", &self.findings)
        } catch {
            self.unreadable.add("admin", "cannot be read: \(Self.words(error))")
            return nil
        }
    }
}

extension FilterChain {
    /// Clusters that its traffic may go to.
    var clusterNames: [String] {
        switch self.terminal {
        case .tcp(let proxy): return proxy.clusters.map(\.name)
        case .http(let manager):
            guard case .inline(let table) = manager.routes else { return [] }
            return table.virtualHosts.flatMap(\.routes).flatMap { route -> [String] in
                if case .forward(let action) = route.action { action.clusters.map(\.name) } else { [] }
            }
        }
    }
}
