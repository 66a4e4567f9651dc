import KubernetesAPI
import NIOCore

/// The documents by which clients learn what kinds there are.
struct DiscoveryDocuments {
    let catalogue: ResourceCatalogue

    static let version: JSONValue = [
        "major": "1", "minor": "32", "gitVersion": "v1.32.0+lateen", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "swift", "platform": "linux/amd64",
    ]

    func core(address: String) -> JSONValue {
        [
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [["clientCIDR": "0.0.0.0/0", "serverAddress": .string(address)]],
        ]
    }

    func groups() -> JSONValue {
        [
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": .array(self.catalogue.groups.filter { !$0.isEmpty }.map(self.group)),
        ]
    }

    func group(_ name: String) -> JSONValue {
        let versions: [JSONValue] = self.catalogue.versions(of: name).map {
            ["groupVersion": .string("\(name)/\($0)"), "version": .string($0)]
        }
        return [
            "kind": "APIGroup", "apiVersion": "v1", "name": .string(name), "versions": .array(versions),
            "preferredVersion": versions.first ?? .null,
        ]
    }

    func resources(group: String, version: String) -> JSONValue? {
        let kinds = self.catalogue.resources(group: group, version: version)
        guard !kinds.isEmpty else { return nil }
        let list: [JSONValue] = kinds.flatMap { info -> [JSONValue] in
            var entry: JSONValue = [
                "name": .string(info.plural), "singularName": .string(info.singular),
                "namespaced": .bool(info.isNamespaced), "kind": .string(info.kind),
                "verbs": JSONValue(ResourceInfo.verbs),
            ]
            if !info.shortNames.isEmpty { entry.set("shortNames", JSONValue(info.shortNames)) }
            if !info.categories.isEmpty { entry.set("categories", JSONValue(info.categories)) }
            return [entry]
                + info.subresources.map { part in
                    var entry: JSONValue = [
                        "name": .string("\(info.plural)/\(part.name)"), "singularName": "",
                        "namespaced": .bool(info.isNamespaced), "kind": .string(part.kind),
                        "verbs": JSONValue(part.verbs),
                    ]
                    if !part.version.isEmpty {
                        entry.set("group", .string(part.group))
                        entry.set("version", .string(part.version))
                    }
                    return entry
                }
        }
        return [
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": .string(group.isEmpty ? version : "\(group)/\(version)"), "resources": .array(list),
        ]
    }

    /// Everything in one document, which spares clients a request per group.
    func aggregated(core: Bool, version: String) -> APIResponse {
        let groups = self.catalogue.groups.filter { $0.isEmpty == core }
        let items: [JSONValue] = groups.map { group in
            let versions: [JSONValue] = self.catalogue.versions(of: group).map { version in
                [
                    "version": .string(version), "freshness": "Current",
                    "resources": .array(
                        self.catalogue.resources(group: group, version: version).map(Self.discovered)
                    ),
                ]
            }
            let metadata: JSONValue = group.isEmpty ? .object([:]) : ["name": .string(group)]
            return ["metadata": metadata, "versions": .array(versions)]
        }
        let document: JSONValue = [
            "kind": "APIGroupDiscoveryList", "apiVersion": .string("apidiscovery.k8s.io/\(version)"),
            "metadata": .object([:]), "items": .array(items),
        ]
        return APIResponse(
            code: 200,
            body: .bytes(
                ByteBuffer(bytes: document.serialize()),
                contentType: "application/json;g=apidiscovery.k8s.io;v=\(version);as=APIGroupDiscoveryList"
            )
        )
    }

    private static func discovered(_ info: ResourceInfo) -> JSONValue {
        func kind(_ group: String, _ version: String, _ kind: String) -> JSONValue {
            ["group": .string(group), "version": .string(version), "kind": .string(kind)]
        }
        var entry: JSONValue = [
            "resource": .string(info.plural), "responseKind": kind(info.group, info.version, info.kind),
            "scope": info.isNamespaced ? "Namespaced" : "Cluster", "singularResource": .string(info.singular),
            "verbs": JSONValue(ResourceInfo.verbs),
        ]
        if !info.shortNames.isEmpty { entry.set("shortNames", JSONValue(info.shortNames)) }
        if !info.categories.isEmpty { entry.set("categories", JSONValue(info.categories)) }
        let parts: [JSONValue] = info.subresources.map { part in
            [
                "subresource": .string(part.name), "verbs": JSONValue(part.verbs),
                "responseKind": part.version.isEmpty
                    ? kind(info.group, info.version, part.kind) : kind(part.group, part.version, part.kind),
            ]
        }
        if !parts.isEmpty { entry.set("subresources", .array(parts)) }
        return entry
    }
}
