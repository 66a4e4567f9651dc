internal import Foundation
package import SwiftProtobuf
internal import XDSAPI

/// A resource as it came.
package struct ReceivedResource: Sendable {
    package var name: String
    package var version: String
    package var resource: Google_Protobuf_Any
    /// When this version was taken.
    package var updated: Google_Protobuf_Timestamp
    /// Why a newer version was refused.
    package var error: String?
}

/// All resources as they came, by type.
package struct ReceivedResources: Sendable {
    package var listeners: [ReceivedResource] = []
    package var clusters: [ReceivedResource] = []
    package var routes: [ReceivedResource] = []
    package var endpoints: [ReceivedResource] = []
    /// With keys.
    package var secrets: [ReceivedResource] = []
}

/// A message with the name by which others refer to it.
protocol NamedResource: SwiftProtobuf.Message {
    var resourceName: String { get }
}

extension Envoy_Config_Listener_V3_Listener: NamedResource { var resourceName: String { self.name } }
extension Envoy_Config_Cluster_V3_Cluster: NamedResource { var resourceName: String { self.name } }
extension Envoy_Config_Route_V3_RouteConfiguration: NamedResource { var resourceName: String { self.name } }
extension Envoy_Config_Endpoint_V3_ClusterLoadAssignment: NamedResource {
    var resourceName: String { self.clusterName }
}

/// The resources of one type: what came and what was made of it.
struct ResourceSet<Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        var source: ReceivedResource
        /// `nil`: no version was good so far.
        var value: Value?
    }

    private var entries: [String: Entry] = [:]
    /// In the order of the last response that listed all.
    private(set) var names: [String] = []

    init() {}

    subscript(_ name: String) -> Value? { self.entries[name]?.value }

    func wasSeen(_ name: String) -> Bool { self.entries[name] != nil }

    var values: [String: Value] { self.entries.compactMapValues(\.value) }

    var received: [ReceivedResource] { self.names.compactMap { self.entries[$0]?.source } }

    mutating func update(_ name: String, _ value: Value) { self.entries[name]?.value = value }

    /// Drops what `isNeeded` does not name.
    mutating func keep(_ isNeeded: (String) -> Bool) {
        guard !self.names.allSatisfy(isNeeded) else { return }
        self.names = self.names.filter(isNeeded)
        self.entries = self.entries.filter { isNeeded($0.key) }
    }

    /// Takes `resources` as all that there is. If one of them cannot be read at all nothing is dropped: it may be any.
    mutating func replace<M: NamedResource>(
        _ resources: [Google_Protobuf_Any],
        version: String,
        _ build: (M, inout Findings) -> Value?
    ) -> [ResourceError] {
        let (names, errors) = self.take(resources, version, build)
        guard errors.allSatisfy({ !$0.resource.isEmpty }) else {
            self.names += names.filter { !self.names.contains($0) }
            return errors
        }
        let kept = Set(names)
        self.entries = self.entries.filter { kept.contains($0.key) }
        self.names = names
        return errors
    }

    /// Takes `resources` beside what is there.
    mutating func merge<M: NamedResource>(
        _ resources: [Google_Protobuf_Any],
        version: String,
        _ build: (M, inout Findings) -> Value?
    ) -> [ResourceError] {
        let known = Set(self.names)
        let (names, errors) = self.take(resources, version, build)
        self.names += names.filter { !known.contains($0) }
        return errors
    }

    /// The names that came, each once, and what is wrong.
    private mutating func take<M: NamedResource>(
        _ resources: [Google_Protobuf_Any],
        _ version: String,
        _ build: (M, inout Findings) -> Value?
    ) -> ([String], [ResourceError]) {
        var names: [String] = []
        var seen: Set<String> = []
        var errors: [ResourceError] = []
        let now = Google_Protobuf_Timestamp(date: Date())
        for (index, resource) in resources.enumerated() {
            guard let message = try? M(unpackingAny: resource) else {  // the type is all that there is to say
                let finding = Finding(path: "resources[\(index)]", message: "is no valid \(M.protoMessageName)")
                errors.append(ResourceError(resource: "", findings: [finding]))
                continue
            }
            let name = message.resourceName
            guard !name.isEmpty, seen.insert(name).inserted else {
                let finding = Finding(path: "name", message: name.isEmpty ? "a name is needed" : "is there twice")
                errors.append(ResourceError(resource: name.isEmpty ? "resources[\(index)]" : name, findings: [finding]))
                continue
            }
            names.append(name)
            if let entry = self.entries[name], entry.source.resource == resource, entry.source.error == nil {
                self.entries[name]?.source.version = version
                continue
            }
            var findings = Findings()
            let value = build(message, &findings)
            if let value, findings.isEmpty {
                let source = ReceivedResource(name: name, version: version, resource: resource, updated: now)
                self.entries[name] = Entry(source: source, value: value)
                continue
            }
            let error = ResourceError(resource: name, findings: findings.list)
            errors.append(error)
            let source = ReceivedResource(name: name, version: version, resource: resource, updated: now)
            // Without a good version the refused one is shown; with one the error stands beside it.
            var entry = self.entries[name] ?? Entry(source: source, value: nil)
            entry.source.error = error.description
            self.entries[name] = entry
        }
        return (names, errors)
    }
}
