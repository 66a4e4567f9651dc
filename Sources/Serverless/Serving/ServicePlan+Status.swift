package import KubernetesAPI
internal import MeshModel

extension ServicePlan {
    /// What of a Service the API server, or another's object, stood in the way of.
    package struct Obstacles: Sendable, Hashable {
        /// What was said to the newest revision.
        package var revision: String?
        /// What was said to the Services and routes.
        package var route: String?
        /// Routes of that name that belong to somebody else.
        package var foreignRoutes: [String] = []

        package init() {}
    }

    /// What the service's status says.
    package func status(obstacles: Obstacles = Obstacles(), now: Int64) -> JSONValue {
        let before = self.service.status["conditions"]?.array ?? []
        let configurations = self.configurationsReady(obstacles)
        let routes = self.routesReady(obstacles)
        var ready =
            [configurations, routes].first { $0.status == .no } ?? [configurations, routes].first { $0.status != .yes }
            ?? StatusCondition("Ready", .yes)
        ready.type = "Ready"
        var status: JSONValue = [
            "observedGeneration": JSONValue(self.service.generation),
            "conditions": .array([configurations, ready, routes].map { $0.json(before: before, now: now) }),
            "url": .string("http://\(self.publicHost(self.service.id.name))"),
            "address": ["url": .string("http://\(self.clusterHost(self.service.id.name))")],
            "traffic": .array(self.routed.map(self.json)),
        ]
        if self.service.templateProblems.isEmpty, self.nameTaker == nil {
            status["latestCreatedRevisionName"] = .string(self.revisionName)
        } else {
            status["latestCreatedRevisionName"] = self.revisions.last.map { .string($0.id.name) }
        }
        status["latestReadyRevisionName"] = self.latestReady.map { .string($0.id.name) }
        return status
    }

    private func configurationsReady(_ obstacles: Obstacles) -> StatusCondition {
        if !self.service.problems.isEmpty {
            return StatusCondition(
                "ConfigurationsReady",
                .no,
                reason: "InvalidConfiguration",
                message: self.service.problems.joined(separator: "; ")
            )
        }
        if let taker = self.nameTaker {
            return StatusCondition(
                "ConfigurationsReady",
                .no,
                reason: "RevisionNameTaken",
                message: "spec.template.metadata.name: \(taker.id.name) is a revision of another template;"
                    + " expected a name that is not taken"
            )
        }
        if let refusal = obstacles.revision {
            return StatusCondition("ConfigurationsReady", .no, reason: "RevisionRefused", message: refusal)
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

    private func routesReady(_ obstacles: Obstacles) -> StatusCondition {
        if !self.service.trafficProblems.isEmpty { return StatusCondition("RoutesReady", .unknown) }
        if self.shares.isEmpty { return self.routesMissing }
        if !obstacles.foreignRoutes.isEmpty {
            let names = obstacles.foreignRoutes.map { "\(self.service.id.namespace)/\($0)" }
            return StatusCondition(
                "RoutesReady",
                .no,
                reason: "NotOwned",
                message:
                    "VirtualService \(names.joined(separator: ", ")) belongs to somebody else and is left as it is;"
                    + " rename or delete it"
            )
        }
        if let refusal = obstacles.route {
            return StatusCondition("RoutesReady", .no, reason: "Refused", message: refusal)
        }
        return StatusCondition("RoutesReady", .yes)
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

    private func json(_ share: Share) -> JSONValue {
        var json: JSONValue = [
            "revisionName": .string(share.revision), "percent": JSONValue(share.percent),
            "latestRevision": .bool(share.isLatest),
        ]
        if let tag = share.tag {
            json["tag"] = .string(tag)
            json["url"] = .string("http://\(self.publicHost(self.service.tagged(tag)))")
        }
        return json
    }
}
