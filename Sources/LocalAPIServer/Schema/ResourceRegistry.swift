import KubernetesAPI
import Synchronization

/// The kinds that the server offers at this moment.
package struct ResourceCatalogue: Sendable {
    /// Groups in the order of discovery; the core group is the empty name.
    private(set) var groups: [String] = []
    private var byGroupVersion: [String: [String: ResourceInfo]] = [:]
    private var versionsByGroup: [String: [String]] = [:]
    private let preferred: [String: String]

    init(preferredVersions: [String: String] = [:]) { self.preferred = preferredVersions }

    mutating func add(_ info: ResourceInfo) {
        if !self.groups.contains(info.group) { self.groups.append(info.group) }
        if self.versionsByGroup[info.group]?.contains(info.version) != true {
            self.versionsByGroup[info.group, default: []].append(info.version)
        }
        self.byGroupVersion[info.apiVersion, default: [:]][info.plural] = info
    }

    /// Versions of a group, preferred first.
    func versions(of group: String) -> [String] {
        let preferred = self.preferred[group]
        return (self.versionsByGroup[group] ?? []).sorted { first, second in
            (first == preferred ? 1 : 0, Self.rank(first)) > (second == preferred ? 1 : 0, Self.rank(second))
        }
    }

    func resources(group: String, version: String) -> [ResourceInfo] {
        let apiVersion = group.isEmpty ? version : "\(group)/\(version)"
        return (self.byGroupVersion[apiVersion] ?? [:]).values.sorted { $0.plural < $1.plural }
    }

    func find(group: String, version: String, plural: String) -> ResourceInfo? {
        self.byGroupVersion[group.isEmpty ? version : "\(group)/\(version)"]?[plural]
    }

    /// Some version of a kind, for work that does not depend on it.
    func find(_ resource: GroupResource) -> ResourceInfo? {
        for version in self.versions(of: resource.group) {
            if let info = self.find(group: resource.group, version: version, plural: resource.resource) { return info }
        }
        return nil
    }

    package var all: [ResourceInfo] {
        self.groups.flatMap { group in
            self.versions(of: group).flatMap { self.resources(group: group, version: $0) }
        }
    }

    /// Order of versions as Kubernetes has it: stable before beta before alpha, then the higher number.
    private static func rank(_ version: String) -> Int {
        let digits = version.dropFirst().prefix { $0.isNumber }
        let rest = version.dropFirst(1 + digits.count)
        let major = Int(digits) ?? 0
        let minor = Int(rest.drop { !$0.isNumber }) ?? 0
        let stage = rest.isEmpty ? 2 : rest.hasPrefix("beta") ? 1 : 0
        return stage * 1_000_000 + major * 1000 + minor
    }
}

/// Holds the catalogue and renews it when CustomResourceDefinitions change.
final class ResourceRegistry: Sendable {
    private let catalogue: Mutex<ResourceCatalogue>
    private let builtin: ResourceCatalogue

    init(preferredVersions: [String: String]) {
        self.builtin = BuiltinKinds.catalogue(preferredVersions: preferredVersions)
        self.catalogue = Mutex(self.builtin)
    }

    var current: ResourceCatalogue { self.catalogue.withLock { $0 } }

    /// Builds the catalogue from the built-in kinds and the definitions given.
    func update(definitions: [JSONValue]) {
        var next = self.builtin
        for definition in definitions where definition.at("metadata", "deletionTimestamp") == nil {
            for info in Self.kinds(of: definition) { next.add(info) }
        }
        self.catalogue.withLock { $0 = next }
    }

    private static func kinds(of definition: JSONValue) -> [ResourceInfo] {
        guard let spec = definition["spec"], let names = spec["names"], let group = spec["group"]?.string,
            let plural = names["plural"]?.string, let kind = names["kind"]?.string
        else { return [] }
        return (spec["versions"]?.array ?? []).compactMap { version in
            guard let name = version["name"]?.string, version["served"]?.bool == true else { return nil }
            let schema = version.at("schema", "openAPIV3Schema") ?? ["type": "object"]
            return ResourceInfo(
                group: group,
                version: name,
                plural: plural,
                singular: names["singular"]?.string ?? kind.lowercased(),
                kind: kind,
                listKind: names["listKind"]?.string ?? "\(kind)List",
                shortNames: (names["shortNames"]?.array ?? []).compactMap(\.string),
                categories: (names["categories"]?.array ?? []).compactMap(\.string),
                isNamespaced: spec["scope"]?.string != "Cluster",
                hasStatus: version.at("subresources", "status") != nil,
                schema: Self.withMetadata(schema),
                isCustom: true,
                columns: version["additionalPrinterColumns"]?.array ?? []
            )
        }
    }

    /// Every custom object has these three beside what its schema declares.
    private static func withMetadata(_ schema: JSONValue) -> Schema {
        var schema = schema
        schema.mutate("properties") { properties in
            properties.set("apiVersion", ["type": "string"])
            properties.set("kind", ["type": "string"])
            properties.set("metadata", ["type": "object", "x-kubernetes-preserve-unknown-fields": true])
        }
        return Schema(openAPI: schema)
    }
}
