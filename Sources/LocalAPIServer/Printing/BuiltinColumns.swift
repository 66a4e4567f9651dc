import KubernetesAPI

/// Columns of the built-in kinds, as on a real cluster.
enum BuiltinColumns {
    private static let name = TableColumn("Name") { object, _ in .string(object.metadataString("name")) }
    private static let age = TableColumn("Age") { object, context in
        context.age(object.metadata["creationTimestamp"])
    }

    static func columns(_ info: ResourceInfo) -> [TableColumn] {
        switch (info.group, info.plural) {
        case ("", "pods"): return self.pods
        case ("", "services"): return self.services
        case ("", "namespaces"):
            return [self.name, self.text("Status", "status", "phase"), self.age]
        case ("", "endpoints"):
            return [self.name, TableColumn("Endpoints") { object, _ in .string(self.endpoints(object)) }, self.age]
        case ("", "secrets"):
            return [self.name, self.text("Type", "type"), self.count("Data", "data"), self.age]
        case ("", "configmaps"): return [self.name, self.count("Data", "data"), self.age]
        case ("", "serviceaccounts"): return [self.name, self.count("Secrets", "secrets"), self.age]
        case ("", "nodes"): return self.nodes
        case (_, "events"): return self.events(info)
        case ("apps", "deployments"): return self.deployments
        case ("apps", "replicasets"): return self.replicaSets
        case ("discovery.k8s.io", _): return self.endpointSlices
        case ("networking.k8s.io", "networkpolicies"):
            return [
                self.name,
                TableColumn("Pod-Selector") { object, _ in
                    let text = LabelSelector(json: object.at("spec", "podSelector")).text
                    return .string(text.isEmpty ? "<none>" : text)
                }, self.age,
            ]
        case ("admissionregistration.k8s.io", _): return [self.name, self.count("Webhooks", "webhooks"), self.age]
        case ("coordination.k8s.io", _): return [self.name, self.text("Holder", "spec", "holderIdentity"), self.age]
        case ("rbac.authorization.k8s.io", "rolebindings"), ("rbac.authorization.k8s.io", "clusterrolebindings"):
            return [
                self.name,
                TableColumn("Role") { object, _ in
                    .string(
                        "\(object.at("roleRef", "kind")?.string ?? "")/\(object.at("roleRef", "name")?.string ?? "")"
                    )
                }, self.age,
            ]
        case ("rbac.authorization.k8s.io", _), ("apiextensions.k8s.io", _):
            return [
                self.name,
                TableColumn("Created At") { object, _ in object.metadata["creationTimestamp"] ?? "" },
            ]
        default: return [self.name, self.age]
        }
    }

    private static func text(_ name: String, wide: Bool = false, _ path: String...) -> TableColumn {
        TableColumn(name, wide: wide) { object, _ in .string(object[path: path]?.string ?? "") }
    }

    private static func count(_ name: String, _ field: String) -> TableColumn {
        TableColumn(name, type: "string") { object, _ in
            switch object[field] {
            case .object(let members)?: .integer(Int64(members.count))
            case .array(let elements)?: .integer(Int64(elements.count))
            default: 0
            }
        }
    }

    /// Names, images and the selector of a workload, as `-o wide` shows them.
    private static func wide(containers path: [String]) -> [TableColumn] {
        [
            TableColumn("Containers", wide: true) { object, _ in
                .string(
                    (object[path: path]?.array ?? []).compactMap { $0["name"]?.string }.joined(separator: ",")
                )
            },
            TableColumn("Images", wide: true) { object, _ in
                .string(
                    (object[path: path]?.array ?? []).compactMap { $0["image"]?.string }.joined(separator: ",")
                )
            },
            TableColumn("Selector", wide: true) { object, _ in
                .string(LabelSelector(json: object.at("spec", "selector")).text)
            },
        ]
    }

    private static let pods: [TableColumn] = [
        name,
        TableColumn("Ready") { object, _ in .string(PodSummary(object).ready) },
        TableColumn("Status") { object, _ in .string(PodSummary(object).status) },
        TableColumn("Restarts") { object, context in .string(PodSummary(object).restarts(context)) },
        age,
        TableColumn("IP", wide: true) { object, _ in object.at("status", "podIP") ?? "<none>" },
        TableColumn("Node", wide: true) { object, _ in object.at("spec", "nodeName") ?? "<none>" },
        TableColumn("Nominated Node", wide: true) { _, _ in "<none>" },
        TableColumn("Readiness Gates", wide: true) { _, _ in "<none>" },
    ]

    private static let services: [TableColumn] = [
        name, text("Type", "spec", "type"),
        TableColumn("Cluster-IP") { object, _ in object.at("spec", "clusterIP") ?? "<none>" },
        TableColumn("External-IP") { object, _ in
            switch object.at("spec", "type")?.string {
            case "ExternalName"?: return object.at("spec", "externalName") ?? "<none>"
            case "LoadBalancer"?:
                let ingress = (object.at("status", "loadBalancer", "ingress")?.array ?? [])
                    .compactMap { $0["ip"]?.string ?? $0["hostname"]?.string }
                return ingress.isEmpty ? "<pending>" : .string(ingress.joined(separator: ","))
            default:
                let addresses = (object.at("spec", "externalIPs")?.array ?? []).compactMap(\.string)
                return addresses.isEmpty ? "<none>" : .string(addresses.joined(separator: ","))
            }
        },
        TableColumn("Port(s)") { object, _ in
            let ports = (object.at("spec", "ports")?.array ?? []).map { port in
                let number = port["port"]?.int ?? 0
                let node = port["nodePort"]?.int.map { ":\($0)" } ?? ""
                return "\(number)\(node)/\(port["protocol"]?.string ?? "TCP")"
            }
            return ports.isEmpty ? "<none>" : .string(ports.joined(separator: ","))
        },
        age,
        TableColumn("Selector", wide: true) { object, _ in
            let text = LabelSelector(matchLabels: object.at("spec", "selector")?.stringMap ?? [:]).text
            return .string(text.isEmpty ? "<none>" : text)
        },
    ]

    private static let nodes: [TableColumn] = [
        name,
        TableColumn("Status") { object, _ in
            let ready = (object.at("status", "conditions")?.array ?? []).first { $0["type"]?.string == "Ready" }
            return ready?["status"]?.string == "True" ? "Ready" : "NotReady"
        },
        TableColumn("Roles") { object, _ in
            let prefix = "node-role.kubernetes.io/"
            let roles = object.labels.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            return roles.isEmpty ? "<none>" : .string(roles.sorted().joined(separator: ","))
        },
        age, text("Version", "status", "nodeInfo", "kubeletVersion"),
        TableColumn("Internal-IP", wide: true) { object, _ in
            (object.at("status", "addresses")?.array ?? []).first { $0["type"]?.string == "InternalIP" }?["address"]
                ?? "<none>"
        },
        text("OS-Image", wide: true, "status", "nodeInfo", "osImage"),
        text("Kernel-Version", wide: true, "status", "nodeInfo", "kernelVersion"),
        text("Container-Runtime", wide: true, "status", "nodeInfo", "containerRuntimeVersion"),
    ]

    private static let deployments: [TableColumn] =
        [
            name,
            TableColumn("Ready") { object, _ in
                let ready = object.at("status", "readyReplicas")?.int ?? 0
                return .string("\(ready)/\(object.at("spec", "replicas")?.int ?? 0)")
            },
            number("Up-to-date", "status", "updatedReplicas"),
            number("Available", "status", "availableReplicas"),
            age,
        ] + wide(containers: ["spec", "template", "spec", "containers"])

    private static let replicaSets: [TableColumn] =
        [
            name, number("Desired", "spec", "replicas"), number("Current", "status", "replicas"),
            number("Ready", "status", "readyReplicas"), age,
        ] + wide(containers: ["spec", "template", "spec", "containers"])

    private static func number(_ name: String, _ path: String...) -> TableColumn {
        TableColumn(name, type: "string") { object, _ in JSONValue(object[path: path]?.int ?? 0) }
    }

    private static let endpointSlices: [TableColumn] = [
        name, text("AddressType", "addressType"),
        TableColumn("Ports") { object, _ in
            let ports = (object["ports"]?.array ?? []).compactMap { $0["port"]?.int }.map(String.init)
            return ports.isEmpty ? "<unset>" : .string(ports.joined(separator: ","))
        },
        TableColumn("Endpoints") { object, _ in
            let addresses = (object["endpoints"]?.array ?? []).flatMap { $0["addresses"]?.array ?? [] }
                .compactMap(\.string)
            return addresses.isEmpty ? "<unset>" : .string(abbreviated(addresses))
        },
        age,
    ]

    private static func endpoints(_ object: JSONValue) -> String {
        let pairs = (object["subsets"]?.array ?? []).flatMap { subset in
            (subset["addresses"]?.array ?? []).compactMap { $0["ip"]?.string }.flatMap { address in
                let ports = (subset["ports"]?.array ?? []).compactMap { $0["port"]?.int }
                return ports.isEmpty ? [address] : ports.map { "\(address):\($0)" }
            }
        }
        return pairs.isEmpty ? "<none>" : self.abbreviated(pairs)
    }

    private static func abbreviated(_ items: [String]) -> String {
        items.count <= 3
            ? items.joined(separator: ",") : items.prefix(3).joined(separator: ",") + " + \(items.count - 3) more..."
    }

    private static func events(_ info: ResourceInfo) -> [TableColumn] {
        let isOld = info.group.isEmpty
        let last = isOld ? "lastTimestamp" : "deprecatedLastTimestamp"
        let involved = isOld ? "involvedObject" : "regarding"
        return [
            TableColumn("Last Seen") { object, context in
                let moment = [object[last], object["eventTime"], object.metadata["creationTimestamp"]]
                return context.age(moment.compactMap { $0 }.first { $0 != .null })
            },
            self.text("Type", "type"), self.text("Reason", "reason"),
            TableColumn("Object") { object, _ in
                let kind = (object[involved]?["kind"]?.string ?? "").lowercased()
                return .string("\(kind)/\(object[involved]?["name"]?.string ?? "")")
            },
            self.text("Message", isOld ? "message" : "note"),
            TableColumn("Source", wide: true) { object, _ in
                object.at("source", "component") ?? object["reportingComponent"] ?? ""
            },
            TableColumn("Count", wide: true) { object, _ in JSONValue(object["count"]?.int ?? 1) },
            TableColumn("Name", wide: true) { object, _ in .string(object.metadataString("name")) },
        ]
    }
}
