package import KubernetesAPI

/// One rule of a role (`PolicyRule` of `rbac.authorization.k8s.io/v1`): verbs, and what they may be done to.
///
/// Rules about addresses (`nonResourceURLs`) are no use here: what they are about is open to everybody who has a name.
package struct AccessRule: Hashable, Sendable {
    private let verbs: Set<String>
    private let groups: Set<String>
    private let resources: Set<String>
    /// Empty: any.
    private let names: Set<String>

    package init(_ json: JSONValue) {
        func texts(_ member: String) -> Set<String> { Set((json[member]?.array ?? []).compactMap(\.string)) }
        self.verbs = texts("verbs")
        self.groups = texts("apiGroups")
        self.resources = texts("resources")
        self.names = texts("resourceNames")
    }

    package func allows(_ request: AccessRequest) -> Bool {
        Self.has(self.verbs, request.verb) && Self.has(self.groups, request.resource.group)
            && self.hasResource(of: request)
            && (self.names.isEmpty || request.name.map(self.names.contains) ?? false)
    }

    /// `pods`, `pods/log`, `*/scale`, or `*`, which stands for parts of objects as well.
    private func hasResource(of request: AccessRequest) -> Bool {
        guard let part = request.subresource else { return Self.has(self.resources, request.resource.resource) }
        return Self.has(self.resources, "\(request.resource.resource)/\(part)") || self.resources.contains("*/\(part)")
    }

    private static func has(_ words: Set<String>, _ word: String) -> Bool {
        words.contains("*") || words.contains(word)
    }
}
