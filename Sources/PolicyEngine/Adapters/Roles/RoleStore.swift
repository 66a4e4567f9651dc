package import KubernetesAPI

/// Roles and who has them, by namespace.
///
/// Whatever is not understood grants nothing: a rule of a role, or a subject of a binding, with a member that is unknown
/// here would be wider without it.
package struct RoleStore: Sendable {
    /// Who wants to do what.
    package struct Request: Sendable {
        package var user: String
        package var group: String
        package var subject: [String: String]
        package var namespace: String
        package var service: String
        package var method: String
        package var path: String
        package var action: [String: String]

        package init(
            user: String = "",
            group: String = "",
            subject: [String: String] = [:],
            namespace: String,
            service: String,
            method: String = "",
            path: String = "",
            action: [String: String] = [:]
        ) {
            self.user = user
            self.group = group
            self.subject = subject
            self.namespace = namespace
            self.service = service
            self.method = method
            self.path = path
            self.action = action
        }
    }

    private struct Rule: Sendable {
        var services: [TextTest]
        /// `nil`: any.
        var methods: [TextTest]?
        var paths: [TextTest]?
        var constraints: [(key: String, values: [TextTest])] = []

        func allows(_ request: Request) -> Bool {
            self.services.hold(request.service) && self.methods?.hold(request.method) ?? true
                && self.paths?.hold(request.path) ?? true
                && self.constraints.allSatisfy { key, values in request.action[key].map(values.hold) ?? false }
        }
    }

    private struct Subject: Sendable {
        var user: TextTest?
        var group: TextTest?
        var properties: [(key: String, value: TextTest)] = []

        func has(_ request: Request) -> Bool {
            self.user?.holds(request.user) ?? true && self.group?.holds(request.group) ?? true
                && self.properties.allSatisfy { key, value in request.subject[key].map(value.holds) ?? false }
        }
    }

    private var rules: [ObjectKey: [Rule]] = [:]
    /// By namespace: the roles that are given, and to whom.
    private var bindings: [String: [(role: ObjectKey, subjects: [Subject])]] = [:]

    package init(
        _ objects: [KubernetesObject],
        report: (_ object: KubernetesObject, _ field: String, _ message: String) -> Void
    ) {
        for object in objects {
            switch object.kind {
            case "ServiceRole": self.rules[object.key] = Self.rules(object, report)
            case "ServiceRoleBinding":
                guard let role = object.spec[path: "roleRef", "name"]?.string, !role.isEmpty else {
                    report(object, "spec.roleRef.name", "is missing: the name of a ServiceRole")
                    continue
                }
                self.bindings[object.namespace ?? "default", default: []].append(
                    (ObjectKey(namespace: object.namespace, name: role), Self.subjects(object, report))
                )
            default: ()
            }
        }
        for object in objects where object.kind == "ServiceRoleBinding" {
            let role = object.spec[path: "roleRef", "name"]?.string ?? ""
            if !role.isEmpty, self.rules[ObjectKey(namespace: object.namespace, name: role)] == nil {
                report(object, "spec.roleRef.name", "there is no ServiceRole \(role) in its namespace")
            }
        }
    }

    package func allows(_ request: Request) -> Bool {
        (self.bindings[request.namespace] ?? []).contains { role, subjects in
            subjects.contains { $0.has(request) } && (self.rules[role] ?? []).contains { $0.allows(request) }
        }
    }

    // MARK: Reading

    private static func rules(
        _ object: KubernetesObject,
        _ report: (_ object: KubernetesObject, _ field: String, _ message: String) -> Void
    ) -> [Rule] {
        Self.read("rules", of: object, report) { reader in
            let services = reader.texts("services")
            if services.isEmpty { reader.complain("services", "is missing: the names of services, or \"*\"") }
            var rule = Rule(services: services.map(TextTest.matches))
            if reader.value("methods") != nil { rule.methods = reader.texts("methods").map(TextTest.matches) }
            if reader.value("paths") != nil { rule.paths = reader.texts("paths").map(TextTest.matches) }
            for constraint in reader.objects("constraints") {
                let key = constraint.text("key") ?? ""
                if key.isEmpty { constraint.complain("key", "is missing: the name of a property of the action") }
                rule.constraints.append((key, constraint.texts("values").map(TextTest.matches)))
            }
            return rule
        }
    }

    /// An empty text is no condition.
    private static func test(_ pattern: String) -> TextTest? { pattern.isEmpty ? nil : .matches(pattern) }

    private static func subjects(
        _ object: KubernetesObject,
        _ report: (_ object: KubernetesObject, _ field: String, _ message: String) -> Void
    ) -> [Subject] {
        Self.read("subjects", of: object, report) { reader in
            var subject = Subject(
                user: reader.text("user").flatMap(Self.test),
                group: reader.text("group").flatMap(Self.test)
            )
            for (key, value) in reader.members("properties") {
                if let text = value.string {
                    subject.properties.append((key, TextTest.matches(text)))
                } else {
                    reader.complain("properties.\(key)", "is a \(value.typeName), not a text")
                }
            }
            if subject.user == nil, subject.group == nil, subject.properties.isEmpty {
                reader.complain("user", "is missing, and there is no group and no property; \"*\" is everybody")
            }
            return subject
        }
    }

    /// Reads the elements of a list of `object`; those with a mistake are reported and left out.
    private static func read<Element>(
        _ member: String,
        of object: KubernetesObject,
        _ report: (_ object: KubernetesObject, _ field: String, _ message: String) -> Void,
        _ element: (SettingsReader) -> Element
    ) -> [Element] {
        var elements: [Element] = []
        for (index, json) in (object.spec[member]?.array ?? []).enumerated() {
            let reader = SettingsReader(json, path: "spec.\(member)[\(index)]")
            let value = element(reader)
            let mistakes = reader.mistakes
            for mistake in mistakes { report(object, mistake.field, mistake.message) }
            if mistakes.isEmpty { elements.append(value) }
        }
        return elements
    }
}

extension [TextTest] {
    fileprivate func hold(_ text: String) -> Bool { self.contains { $0.holds(text) } }
}
