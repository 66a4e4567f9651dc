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
    package let revisions: [Revision]
    /// Revisions whose requests go through the activator.
    package let proxied: Set<String>
    package let settings: Settings

    package init(_ service: KnativeService, revisions: [Revision], proxied: Set<String>, settings: Settings) {
        self.service = service
        self.revisions = revisions.sorted { ($0.generation, $0.id.name) < ($1.generation, $1.id.name) }
        self.proxied = proxied
        self.settings = settings
    }

    private var owner: OwnerReference {
        OwnerReference(
            apiVersion: ResourceType.knativeServices.apiVersion,
            kind: ResourceType.knativeServices.kind,
            name: self.service.id.name,
            uid: self.service.uid
        )
    }

    private func object(_ type: ResourceType, _ name: String) -> KubernetesObject {
        var object = KubernetesObject(type, namespace: self.service.id.namespace, name: name)
        object.labels = [ServingLabels.service: self.service.id.name]
        object.ownerReferences = [self.owner]
        return object
    }

    /// The newest revision with a pod that has been ready once.
    package var latestReady: Revision? { self.revisions.last(where: \.isReady) }

    /// Where traffic goes; empty until there is a revision for all of it.
    package var shares: [Share] {
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

    /// Revisions that keep their minimum of pods: those with traffic, and the newest until it is known to be ready.
    package var reachable: Set<String> {
        var names = Set(self.shares.map(\.revision))
        if let newest = self.revisions.last, !newest.isReady { names.insert(newest.id.name) }
        return names
    }

    /// The name of the revision that the template as it is now is, or becomes.
    ///
    /// A change of the traffic alone is a new generation of the service, but no other program: the newest revision stays.
    package var revisionName: String {
        if self.service.givenName == nil, let newest = self.revisions.last, self.isOfTemplate(newest) {
            return newest.id.name
        }
        return self.service.nextRevisionName
    }

    private func isOfTemplate(_ revision: Revision) -> Bool {
        if revision.generation == self.service.generation { return true }
        return revision.spec == self.service.revisionSpec
            && revision.annotations == self.service.templateAnnotations
            && revision.labels.filter({ !ServingLabels.own.contains($0.key) }) == self.service.templateLabels
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

    /// The Service that clients in the cluster call.
    package var entry: KubernetesObject {
        var object = self.object(.services, self.service.id.name)
        object.json["spec"] = [
            "selector": [ServingLabels.service: .string(self.service.id.name)],
            "ports": [["name": "http", "port": 80, "targetPort": "user-port"]],
        ]
        return object
    }

    private func clusterHost(_ name: String) -> String {
        "\(name).\(self.service.id.namespace).svc.\(self.settings.clusterDomain)"
    }

    private var publicHost: String { "\(self.service.id.name).\(self.service.id.namespace).\(self.settings.domain)" }

    /// The split of traffic; `nil` while there is nothing to route to.
    package var virtualService: KubernetesObject? {
        let shares = self.shares
        guard !shares.isEmpty else { return nil }
        var object = self.object(.virtualServices, self.service.id.name)
        var hosts = [self.clusterHost(self.service.id.name)]
        if self.publicHost != hosts[0] { hosts.append(self.publicHost) }
        var gateways = ["mesh"]
        if !self.settings.gateway.isEmpty { gateways.append(self.settings.gateway) }
        object.json["spec"] = [
            "hosts": JSONValue(hosts),
            "gateways": JSONValue(gateways),
            "http": [
                [
                    "route": .array(shares.filter { $0.percent > 0 }.map(self.destination)),
                    "timeout": .string("\(self.timeout(of: shares))s"),
                ]
            ],
        ]
        return object
    }

    /// The longest of the revisions': a route has one for all of them.
    private func timeout(of shares: [Share]) -> Int {
        let names = Set(shares.map(\.revision))
        let timeouts = self.revisions.filter { names.contains($0.id.name) }.map(\.timeout).filter { $0 > 0 }
        return timeouts.max() ?? Revision.defaultTimeout
    }

    private func destination(_ share: Share) -> JSONValue {
        var host = self.clusterHost(share.revision)
        if let activator = self.settings.activator,
            !self.settings.isActivatorOnDemand || self.proxied.contains(share.revision)
        {
            host = activator
        }
        return [
            "destination": ["host": .string(host), "port": ["number": 80]],
            "weight": JSONValue(share.percent),
            // Who counts and who holds requests has to know whose they are.
            "headers": [
                "request": [
                    "set": [
                        "Knative-Serving-Namespace": .string(self.service.id.namespace),
                        "Knative-Serving-Revision": .string(share.revision),
                    ]
                ]
            ],
        ]
    }

    /// What the service's status says.
    package func status(now: Int64) -> JSONValue {
        let before = self.service.status["conditions"]?.array ?? []
        let configurations = self.configurationsReady
        let routes: StatusCondition
        if !self.service.problems.isEmpty {
            routes = StatusCondition("RoutesReady", .unknown)
        } else if self.shares.isEmpty {
            routes = self.routesMissing
        } else {
            routes = StatusCondition("RoutesReady", .yes)
        }
        var ready =
            [configurations, routes].first { $0.status == .no } ?? [configurations, routes].first { $0.status != .yes }
            ?? StatusCondition("Ready", .yes)
        ready.type = "Ready"
        var status: JSONValue = [
            "observedGeneration": JSONValue(self.service.generation),
            "conditions": .array([configurations, ready, routes].map { $0.json(before: before, now: now) }),
            "url": .string("http://\(self.publicHost)"),
            "address": ["url": .string("http://\(self.clusterHost(self.service.id.name))")],
            "traffic": .array(self.shares.map(Self.json)),
        ]
        if self.service.problems.isEmpty { status["latestCreatedRevisionName"] = .string(self.revisionName) }
        status["latestReadyRevisionName"] = self.latestReady.map { .string($0.id.name) }
        return status
    }

    private var configurationsReady: StatusCondition {
        if !self.service.problems.isEmpty {
            return StatusCondition(
                "ConfigurationsReady",
                .no,
                reason: "InvalidConfiguration",
                message: self.service.problems.joined(separator: "; ")
            )
        }
        guard let newest = self.revisions.first(where: { $0.id.name == self.revisionName }) else {
            return StatusCondition("ConfigurationsReady", .unknown, reason: "Deploying")
        }
        let ready = newest.status["conditions"]?.array?.first { $0["type"]?.string == "Ready" }
        switch ready?["status"]?.string {
        case "True": return StatusCondition("ConfigurationsReady", .yes)
        case "False":
            return StatusCondition(
                "ConfigurationsReady",
                .no,
                reason: "RevisionFailed",
                message: "Revision \(newest.id.name) failed: \(ready?["message"]?.string ?? "it is not ready")"
            )
        default:
            return StatusCondition("ConfigurationsReady", .unknown, reason: ready?["reason"]?.string ?? "Deploying")
        }
    }

    private var routesMissing: StatusCondition {
        let names = Set(self.revisions.map(\.id.name))
        let missing = self.service.traffic.compactMap(\.revision).first { !names.contains($0) }
        if let missing {
            return StatusCondition(
                "RoutesReady",
                .no,
                reason: "RevisionMissing",
                message: "spec.traffic names revision \(missing), which does not exist;"
                    + " there are \(names.sorted().joined(separator: ", "))"
            )
        }
        return StatusCondition("RoutesReady", .unknown, reason: "RevisionMissing", message: "No revision is ready yet.")
    }

    private static func json(_ share: Share) -> JSONValue {
        var json: JSONValue = [
            "revisionName": .string(share.revision), "percent": JSONValue(share.percent),
            "latestRevision": .bool(share.isLatest),
        ]
        json["tag"] = share.tag.map(JSONValue.string)
        return json
    }
}
