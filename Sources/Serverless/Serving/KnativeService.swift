package import KubernetesAPI
package import MeshModel

/// A `serving.knative.dev/v1` Service: a template of revisions, and how traffic is split among them.
package struct KnativeService: Sendable, Hashable {
    /// A part of the traffic.
    package struct Target: Sendable, Hashable {
        /// `nil`: the latest revision that is ready.
        package var revision: String?
        package var percent: Int
        package var tag: String?
    }

    package var id: ObjectID
    package var uid: String
    package var generation: Int
    /// `metadata` and `spec` of the revisions.
    package var template: JSONValue
    package var traffic: [Target]
    package var status: JSONValue
    /// What is wrong with the template, with the field's path: no revision is made of it.
    package var templateProblems: [String] = []
    /// What is wrong with the split of traffic: the one before stays.
    package var trafficProblems: [String] = []

    /// `defaults`: what the cluster allows and says where the template says nothing.
    package init(_ object: KubernetesObject, defaults: AutoscalerDefaults = AutoscalerDefaults()) {
        self.id = ObjectID(namespace: object.namespace ?? "", name: object.name)
        self.uid = object.uid
        self.generation = object.generation
        self.template = object.json[path: "spec", "template"] ?? .object([:])
        self.status = object.json["status"] ?? .object([:])
        let targets = object.json[path: "spec", "traffic"]?.array ?? []
        self.traffic = targets.map { target in
            let isLatest = target["latestRevision"]?.bool ?? (target["revisionName"]?.string?.isEmpty ?? true)
            return Target(
                revision: isLatest ? nil : target["revisionName"]?.string.flatMap { $0.isEmpty ? nil : $0 },
                percent: target["percent"]?.int ?? 0,
                tag: target["tag"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            )
        }
        if self.traffic.isEmpty { self.traffic = [Target(revision: nil, percent: 100, tag: nil)] }
        self.checkTraffic(targets)
        self.checkTemplate(defaults)
    }

    /// All that is wrong with it.
    package var problems: [String] { self.trafficProblems + self.templateProblems }

    private mutating func checkTraffic(_ targets: [JSONValue]) {
        let path = "spec.traffic"
        var total = 0
        var tags: Set<String> = []
        for (index, target) in self.traffic.enumerated() {
            // Bounded before they are added up: anybody may have written them.
            if (0...100).contains(target.percent) {
                total += target.percent
            } else {
                self.trafficProblems.append("\(path)[\(index)].percent: \(target.percent); expected 0 to 100")
            }
            if target.revision == nil, targets.indices.contains(index), targets[index]["latestRevision"]?.bool == false
            {
                self.trafficProblems.append(
                    "\(path)[\(index)]: expected a revisionName, or latestRevision: true"
                )
            }
            guard let tag = target.tag else { continue }
            if !Self.isLabel(self.tagged(tag)) {
                self.trafficProblems.append(
                    "\(path)[\(index)].tag: \(tag); expected letters a to z, digits and dashes,"
                        + " with -\(self.id.name) behind it 63 at most"
                )
            } else if !tags.insert(tag).inserted {
                self.trafficProblems.append("\(path)[\(index)].tag: \(tag) is there twice; expected each once")
            }
        }
        guard self.trafficProblems.isEmpty, total != 100 else { return }
        self.trafficProblems.append("\(path): the percentages add up to \(total); expected 100")
    }

    private mutating func checkTemplate(_ defaults: AutoscalerDefaults) {
        if self.containers.isEmpty {
            self.templateProblems.append("spec.template.spec.containers: expected at least one container")
        }
        let parsed = ScalingAnnotations.parse(
            self.templateAnnotations,
            containerConcurrency: self.containerConcurrency,
            defaults: defaults
        )
        for problem in parsed.problems {
            self.templateProblems.append("spec.template.metadata.annotations: \(problem)")
        }
        if let name = self.givenName, !name.hasPrefix(self.id.name + "-") {
            self.templateProblems.append("spec.template.metadata.name: \(name) has to begin with \(self.id.name)-")
        }
    }

    /// The name under which the part of the traffic with this tag is reached alone.
    package func tagged(_ tag: String) -> String { "\(tag)-\(self.id.name)" }

    /// Whether it may be the name of a Service.
    private static func isLabel(_ name: String) -> Bool {
        let bytes = name.utf8
        guard (1...63).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
        func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte) }
        func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
        return isLetter(first) && (isLetter(last) || isDigit(last))
            && bytes.allSatisfy { isLetter($0) || isDigit($0) || $0 == 45 }
    }

    package var containers: [JSONValue] { self.template[path: "spec", "containers"]?.array ?? [] }
    package var containerConcurrency: Int { self.template[path: "spec", "containerConcurrency"]?.int ?? 0 }

    /// The name that the template itself gives its revision.
    package var givenName: String? {
        self.template[path: "metadata", "name"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    }
    package var templateAnnotations: [String: String] {
        self.template[path: "metadata", "annotations"]?.stringMap ?? [:]
    }
    package var templateLabels: [String: String] { self.template[path: "metadata", "labels"]?.stringMap ?? [:] }

    /// What a revision of the template as it is now has, with the defaults of what it leaves out.
    package var revisionSpec: JSONValue {
        var spec = self.template["spec"] ?? .object([:])
        if spec["containerConcurrency"] == nil { spec["containerConcurrency"] = 0 }
        if spec["timeoutSeconds"] == nil { spec["timeoutSeconds"] = JSONValue(Revision.defaultTimeout) }
        return spec
    }

    /// The name of a revision that is made of this generation.
    package var nextRevisionName: String {
        if let name = self.givenName { return name }
        let number = String(self.generation)
        return "\(self.id.name)-\(String(repeating: "0", count: max(0, 5 - number.count)))\(number)"
    }
}

/// A revision as it stands.
package struct Revision: Sendable, Hashable {
    package var id: ObjectID
    package var uid: String
    package var service: String
    package var generation: Int
    /// It goes: nothing is made for it any more.
    package var isBeingDeleted: Bool
    package var labels: [String: String]
    package var annotations: [String: String]
    package var spec: JSONValue
    package var status: JSONValue

    package init?(_ object: KubernetesObject) {
        guard let service = object.labels[ServingLabels.service] else { return nil }
        self.id = ObjectID(namespace: object.namespace ?? "", name: object.name)
        self.uid = object.uid
        self.service = service
        self.generation = object.labels[ServingLabels.configurationGeneration].flatMap { Int($0) } ?? 0
        self.isBeingDeleted = object.isBeingDeleted
        self.labels = object.labels
        self.annotations = object.annotations
        self.spec = object.json["spec"] ?? .object([:])
        self.status = object.json["status"] ?? .object([:])
    }

    /// Seconds that a request may take if nothing is said, as in Knative.
    package static let defaultTimeout = 300
    package var timeout: Int { self.spec["timeoutSeconds"]?.int ?? Self.defaultTimeout }
    package var isReady: Bool { StatusCondition.isTrue("Ready", in: self.status) }
    package var containerConcurrency: Int { self.spec["containerConcurrency"]?.int ?? 0 }

    /// Where the first container with ports listens; programs go by the variable `PORT`.
    package var port: Int {
        for container in self.spec["containers"]?.array ?? [] {
            if let port = container[path: "ports", "0", "containerPort"]?.int { return port }
        }
        return 8080
    }

    /// `h2c` for programs that speak HTTP/2 without TLS, else `http1`.
    package var protocolName: String {
        for container in self.spec["containers"]?.array ?? [] {
            if container[path: "ports", "0", "name"]?.string == "h2c" { return "h2c" }
        }
        return "http1"
    }
}

extension StatusCondition {
    package static func isTrue(_ type: String, in status: JSONValue) -> Bool {
        status["conditions"]?.array?.contains { $0["type"]?.string == type && $0["status"]?.string == "True" } ?? false
    }
}
