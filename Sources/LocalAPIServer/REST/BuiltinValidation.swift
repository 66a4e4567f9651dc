import KubernetesAPI

/// Rules of the built-in kinds that a schema cannot say; each fault names the field.
enum BuiltinValidation {
    static func causes(_ object: JSONValue, info: ResourceInfo) -> [APIFailure.Cause] {
        switch (info.group, info.plural) {
        case ("", "pods"): return self.podSpec(object["spec"] ?? .null, "spec")
        case ("", "services"): return self.service(object["spec"] ?? .null)
        case ("", "secrets"): return self.secret(object)
        case ("apps", _): return self.workload(object["spec"] ?? .null)
        case ("apiextensions.k8s.io", _): return self.definition(object)
        default: return []
        }
    }

    /// Rules about names and labels that hold for every kind.
    static func metadata(_ object: JSONValue, info: ResourceInfo) -> [APIFailure.Cause] {
        var causes: [APIFailure.Cause] = []
        let name = object.metadataString("name")
        if info.group == "rbac.authorization.k8s.io" {
            if name == "." || name == ".." || name.contains("/") || name.contains("%") {
                causes.append(.invalid("metadata.name", .string(name), "may not contain '/' or '%'"))
            }
        } else if ["services", "namespaces"].contains(info.plural), info.group.isEmpty {
            if !Names.isLabel(name) { causes.append(.invalid("metadata.name", .string(name), Names.labelRule)) }
        } else if !Names.isSubdomain(name) {
            causes.append(.invalid("metadata.name", .string(name), Names.subdomainRule))
        }
        for (key, value) in (object.metadata["labels"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            if !Names.isQualified(key) {
                causes.append(
                    .invalid(
                        "metadata.labels",
                        .string(key),
                        "name part must consist of alphanumeric characters, '-', '_' or '.'"
                    )
                )
            }
            guard let text = value.string else {
                causes.append(.invalid("metadata.labels.\(key)", value, "must be a string"))
                continue
            }
            if !Names.isLabelValue(text) { causes.append(.invalid("metadata.labels", value, Names.valueRule)) }
        }
        for (key, value) in object.metadata["annotations"]?.object ?? [:] where value.string == nil {
            causes.append(.invalid("metadata.annotations.\(key)", value, "must be a string"))
        }
        return causes
    }

    static func podSpec(_ spec: JSONValue, _ path: String) -> [APIFailure.Cause] {
        var causes: [APIFailure.Cause] = []
        if (spec["containers"]?.array ?? []).isEmpty { causes.append(.required("\(path).containers")) }
        var volumes = Set<String>()
        for (index, volume) in (spec["volumes"]?.array ?? []).enumerated() {
            let name = volume["name"]?.string ?? ""
            if !volumes.insert(name).inserted {
                causes.append(.duplicate("\(path).volumes[\(index)].name", .string(name)))
            }
        }
        var names = Set<String>()
        for list in ["initContainers", "containers"] {
            for (index, container) in (spec[list]?.array ?? []).enumerated() {
                let field = "\(path).\(list)[\(index)]"
                let name = container["name"]?.string ?? ""
                if name.isEmpty {
                    causes.append(.required("\(field).name"))
                } else if !Names.isLabel(name) {
                    causes.append(.invalid("\(field).name", .string(name), Names.labelRule))
                } else if !names.insert(name).inserted {
                    causes.append(.duplicate("\(field).name", .string(name)))
                }
                if (container["image"]?.string ?? "").isEmpty { causes.append(.required("\(field).image")) }
                causes += self.ports(container, field)
                for (mountIndex, mount) in (container["volumeMounts"]?.array ?? []).enumerated() {
                    if let volume = mount["name"], !volumes.contains(volume.string ?? "") {
                        causes.append(
                            APIFailure.Cause(
                                field: "\(field).volumeMounts[\(mountIndex)].name",
                                reason: .invalid,
                                message: "Not found: \(volume.shortText)"
                            )
                        )
                    }
                }
            }
        }
        if let policy = spec["restartPolicy"], !["Always", "OnFailure", "Never"].contains(policy) {
            causes.append(.unsupported("\(path).restartPolicy", policy, ["Always", "OnFailure", "Never"]))
        }
        return causes
    }

    private static func ports(_ container: JSONValue, _ field: String) -> [APIFailure.Cause] {
        (container["ports"]?.array ?? []).enumerated().flatMap { index, port in
            self.portNumber(port["containerPort"], "\(field).ports[\(index)].containerPort")
                + self.transport(port["protocol"], "\(field).ports[\(index)].protocol")
        }
    }

    private static func portNumber(_ value: JSONValue?, _ field: String) -> [APIFailure.Cause] {
        guard let value, let number = value.int else { return [] }
        return (1...65535).contains(number)
            ? [] : [.invalid(field, value, "must be between 1 and 65535, inclusive")]
    }

    private static func transport(_ value: JSONValue?, _ field: String) -> [APIFailure.Cause] {
        guard let value, !["TCP", "UDP", "SCTP"].contains(value) else { return [] }
        return [.unsupported(field, value, ["SCTP", "TCP", "UDP"])]
    }

    private static func service(_ spec: JSONValue) -> [APIFailure.Cause] {
        var causes: [APIFailure.Cause] = []
        let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
        let type = spec["type"]?.string ?? ""
        if !types.contains(type) { causes.append(.unsupported("spec.type", .string(type), types)) }
        let ports = spec["ports"]?.array ?? []
        if ports.isEmpty, type != "ExternalName", spec["clusterIP"]?.string != "None" {
            causes.append(.required("spec.ports"))
        }
        var names = Set<String>()
        for (index, port) in ports.enumerated() {
            let field = "spec.ports[\(index)]"
            causes += self.portNumber(port["port"], "\(field).port")
            causes += self.portNumber(port["targetPort"], "\(field).targetPort")
            causes += self.transport(port["protocol"], "\(field).protocol")
            let name = port["name"]?.string ?? ""
            if ports.count > 1, name.isEmpty { causes.append(.required("\(field).name")) }
            if !name.isEmpty, !Names.isLabel(name) {
                causes.append(.invalid("\(field).name", .string(name), Names.labelRule))
            }
            if !name.isEmpty, !names.insert(name).inserted {
                causes.append(.duplicate("\(field).name", .string(name)))
            }
        }
        if type == "ExternalName", (spec["externalName"]?.string ?? "").isEmpty {
            causes.append(.required("spec.externalName"))
        }
        return causes
    }

    private static func secret(_ object: JSONValue) -> [APIFailure.Cause] {
        (object["data"]?.object ?? [:]).sorted { $0.key < $1.key }.compactMap { key, value in
            Base64.decode(value.string ?? "!") == nil
                ? .invalid("data[\(key)]", "<secret contents redacted>", "must be base64") : nil
        }
    }

    private static func workload(_ spec: JSONValue) -> [APIFailure.Cause] {
        var causes = self.podSpec(spec.at("template", "spec") ?? .null, "spec.template.spec")
        if let replicas = spec["replicas"], let count = replicas.int, count < 0 {
            causes.append(.invalid("spec.replicas", replicas, "must be greater than or equal to 0"))
        }
        let selector = LabelSelector(json: spec["selector"])
        let labels = spec["template"]?.labels ?? [:]
        if selector.matchLabels.isEmpty, selector.matchExpressions.isEmpty {
            causes.append(
                .invalid("spec.selector", spec["selector"] ?? .null, "empty selector is invalid for deployment")
            )
        } else if !selector.matches(labels) {
            causes.append(
                .invalid(
                    "spec.template.metadata.labels",
                    JSONValue(labels),
                    "`selector` does not match template `labels`"
                )
            )
        }
        if let policy = spec.at("template", "spec", "restartPolicy"), policy != "Always" {
            causes.append(.unsupported("spec.template.spec.restartPolicy", policy, ["Always"]))
        }
        return causes
    }

    private static func definition(_ object: JSONValue) -> [APIFailure.Cause] {
        let plural = object.at("spec", "names", "plural")?.string ?? ""
        let group = object.at("spec", "group")?.string ?? ""
        let name = object.metadataString("name")
        var causes: [APIFailure.Cause] = []
        if name != "\(plural).\(group)" {
            causes.append(.invalid("metadata.name", .string(name), "must be spec.names.plural+\".\"+spec.group"))
        }
        let stored = (object.at("spec", "versions")?.array ?? []).count { $0["storage"]?.bool == true }
        if stored != 1 {
            causes.append(
                .invalid(
                    "spec.versions",
                    object.at("spec", "versions") ?? .null,
                    "must have exactly one version marked as storage version"
                )
            )
        }
        return causes
    }
}
