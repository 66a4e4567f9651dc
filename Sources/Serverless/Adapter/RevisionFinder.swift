package import MeshModel

/// Finds the revision that an action is about. The autoscaler knows revisions; Mixer's configuration gives services, by
/// name or by host.
package struct RevisionFinder: Sendable {
    /// Names of the Services that Knative of 2019 put in front of a revision's pods.
    private static let suffixes = ["-private", "-priv", "-metrics"]

    /// Revisions that are scaled.
    package var revisions: Set<ObjectID> = []
    /// The revision that is ready last, by service.
    package var latest: [ObjectID: String] = [:]

    package init() {}

    /// `nil` if nothing is known by this name. Without any revision known, as outside of a cluster, the name itself counts.
    package func revision(namespace: String, service: String, property: String? = nil) -> ObjectID? {
        let labels = service.lowercased().split(separator: ":", maxSplits: 1).first?.split(separator: ".") ?? []
        guard let first = labels.first.map(String.init), !first.isEmpty else { return nil }
        // hello.default, hello.default.svc, hello.default.svc.cluster.local; any other host has no namespace in it.
        var home = namespace
        if labels.count == 2 || (labels.count > 2 && labels[2] == "svc") { home = String(labels[1]) }
        guard !home.isEmpty else { return nil }
        if let property, !property.isEmpty { return ObjectID(namespace: home, name: property) }
        for name in Self.names(first) {
            let id = ObjectID(namespace: home, name: name)
            if self.revisions.contains(id) { return id }
            if let latest = self.latest[id] { return ObjectID(namespace: home, name: latest) }
        }
        guard self.revisions.isEmpty, self.latest.isEmpty else { return nil }
        return Self.names(first).last.map { ObjectID(namespace: home, name: $0) }
    }

    /// The name as it is, and without what a revision's Services have behind it.
    private static func names(_ name: String) -> [String] {
        var names = [name]
        for suffix in Self.suffixes where name.hasSuffix(suffix) && name.count > suffix.count {
            names.append(String(name.dropLast(suffix.count)))
        }
        return names
    }
}
