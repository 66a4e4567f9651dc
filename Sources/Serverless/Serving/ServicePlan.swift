package import KubernetesAPI
internal import MeshModel

/// What a Knative Service needs: its newest revision, the name that clients call, the split of traffic, the status.
package struct ServicePlan: Sendable {
    /// Names that are the same for all services.
    package struct Settings: Sendable, Hashable {
        /// Under it services are reachable from outside.
        package var domain = "svc.cluster.local"
        package var clusterDomain = "cluster.local"
        /// The gateway of requests from outside; empty: none.
        package var gateway = ""
        /// Where requests for revisions without room go; `nil`: nowhere but to the revisions themselves.
        package var activator: String?
        /// Whether requests go through the activator only while the autoscaler wants that. Somebody else has to report
        /// them then.
        package var isActivatorOnDemand = false
        /// Whether callers' proxies hold requests that get past the activator, or come where there is none.
        package var holdsInProxies = true

        package init() {}
    }

    /// A part of the traffic, with the revision it goes to now.
    package struct Share: Sendable, Hashable {
        package var revision: String
        package var percent: Int
        package var isLatest: Bool
        package var tag: String?
    }

    package let service: KnativeService
    /// Oldest first.
    package let revisions: [Revision]
    /// Revisions whose requests go through the activator.
    package let proxied: Set<String>
    package let settings: Settings
    /// An older revision that the template has come back to by its name. It counts as the newest.
    package let adopted: Revision?

    package init(_ service: KnativeService, revisions: [Revision], proxied: Set<String>, settings: Settings) {
        self.service = service
        self.proxied = proxied
        self.settings = settings
        var revisions = revisions
        let newest = revisions.map(\.generation).max() ?? 0
        let named = revisions.firstIndex { $0.id.name == service.givenName }
        if let named, revisions[named].generation < newest, Self.isOfTemplate(revisions[named], service) {
            revisions[named].generation = service.generation
            self.adopted = revisions[named]
        } else {
            self.adopted = nil
        }
        self.revisions = revisions.sorted { ($0.generation, $0.id.name) < ($1.generation, $1.id.name) }
    }

    var owner: OwnerReference {
        OwnerReference(
            apiVersion: ResourceType.knativeServices.apiVersion,
            kind: ResourceType.knativeServices.kind,
            name: self.service.id.name,
            uid: self.service.uid
        )
    }

    func object(_ type: ResourceType, _ name: String) -> KubernetesObject {
        var object = KubernetesObject(type, namespace: self.service.id.namespace, name: name)
        object.labels = [ServingLabels.service: self.service.id.name]
        object.ownerReferences = [self.owner]
        return object
    }

    /// The newest revision with a pod that has been ready once.
    package var latestReady: Revision? { self.revisions.last(where: \.isReady) }

    /// Where traffic goes; empty until there is a revision for all of it, and while it cannot be understood.
    package var shares: [Share] {
        guard self.service.trafficProblems.isEmpty else { return [] }
        var shares: [Share] = []
        for target in self.service.traffic {
            guard let revision = target.revision ?? self.latestReady?.id.name,
                self.revisions.contains(where: { $0.id.name == revision && $0.isReady })
            else { return [] }
            shares.append(
                Share(revision: revision, percent: target.percent, isLatest: target.revision == nil, tag: target.tag)
            )
        }
        return shares
    }

    /// Where traffic goes now: as long as it cannot go where it should, where it went before.
    package var routed: [Share] {
        let shares = self.shares
        guard shares.isEmpty else { return shares }
        return (self.service.status["traffic"]?.array ?? []).compactMap { target in
            guard let revision = target["revisionName"]?.string else { return nil }
            return Share(
                revision: revision,
                percent: target["percent"]?.int ?? 0,
                isLatest: target["latestRevision"]?.bool ?? false,
                tag: target["tag"]?.string
            )
        }
    }

    /// Revisions that keep their minimum of pods: those with traffic, and the newest until it is known to be ready.
    package var reachable: Set<String> {
        var names = Set(self.routed.map(\.revision))
        if let newest = self.revisions.last, !newest.isReady { names.insert(newest.id.name) }
        return names
    }

    /// The name of the revision that the template as it is now is, or becomes.
    ///
    /// A change of the traffic alone is a new generation of the service, but no other program: the newest revision stays.
    package var revisionName: String {
        if self.service.givenName == nil, let newest = self.revisions.last, Self.isOfTemplate(newest, self.service) {
            return newest.id.name
        }
        return self.service.nextRevisionName
    }

    private static func isOfTemplate(_ revision: Revision, _ service: KnativeService) -> Bool {
        if revision.generation == service.generation { return true }
        return revision.spec == service.revisionSpec
            && revision.annotations == service.templateAnnotations
            && revision.labels.filter({ !ServingLabels.own.contains($0.key) }) == service.templateLabels
    }

    /// The revision that has the name which the template gives, and was made of another template.
    package var nameTaker: Revision? {
        guard let name = self.service.givenName else { return nil }
        return self.revisions.first { $0.id.name == name && !Self.isOfTemplate($0, self.service) }
    }

    /// The revision of the template as it is now; `nil` if it exists.
    package var newRevision: KubernetesObject? {
        let name = self.revisionName
        guard !self.revisions.contains(where: { $0.id.name == name }) else { return nil }
        var object = self.object(.revisions, name)
        object.labels = self.service.templateLabels.merging([
            ServingLabels.service: self.service.id.name, ServingLabels.configuration: self.service.id.name,
            ServingLabels.configurationGeneration: String(self.service.generation),
        ]) { _, ours in ours }
        object.annotations = self.service.templateAnnotations
        object.json["spec"] = self.service.revisionSpec
        return object
    }

    /// Revisions without traffic that are kept, the newest, so that one can go back to them.
    private static let idleRevisionsMax = 20

    /// Revisions that go: each holds three more objects, and changes of the template would add to them for ever.
    package var obsolete: [Revision] {
        let traffic = Set(self.shares.map(\.revision))
        // Without shares it is not known where traffic goes.
        guard !traffic.isEmpty else { return [] }
        let named = Set(self.service.traffic.compactMap(\.revision))
        let kept = traffic.union(named).union([self.revisionName])
        return self.revisions.filter { !kept.contains($0.id.name) }.dropLast(Self.idleRevisionsMax)
    }
}
