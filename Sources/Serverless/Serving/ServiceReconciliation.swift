package import KubernetesAPI
package import MeshModel

/// What a ``ServiceReconciliation`` asks of the API server.
package protocol ServingAPI: Sendable {
    func get(_ type: ResourceType, _ id: ObjectID) async throws -> KubernetesObject
    func create(_ type: ResourceType, _ object: KubernetesObject) async throws
    /// Merges `change` into an object; into its status, if that is what is changed.
    func patch(_ type: ResourceType, _ id: ObjectID, subresource: String?, _ change: JSONValue) async throws
    func delete(_ type: ResourceType, _ id: ObjectID) async throws
}

/// Makes one Knative Service so: makes what is missing, changes what differs, and says in statuses how it stands.
///
/// What the API server refuses, and what belongs to somebody else, stands in the status of its revision or of the Service,
/// and stops nothing else: a broken revision must not keep traffic from going back to another. Only if the server cannot
/// be reached it ends at once.
package struct ServiceReconciliation<API: ServingAPI> {
    private let api: API
    private let found: ServingIndex.Entry
    private let settings: ServicePlan.Settings
    private let defaults: AutoscalerDefaults
    private let now: Int64
    /// What was refused on the way.
    package private(set) var refusals: [KubernetesError] = []
    /// Whether not all could be done, so that it is worth another try later.
    package private(set) var isIncomplete = false

    package init(
        _ found: ServingIndex.Entry,
        settings: ServicePlan.Settings,
        defaults: AutoscalerDefaults,
        api: API,
        now: Int64
    ) {
        self.found = found
        self.settings = settings
        self.defaults = defaults
        self.api = api
        self.now = now
    }

    package mutating func run(_ id: ObjectID) async throws {
        // Its objects go with it, as it owns them.
        guard let object = self.found.object(.knativeServices, id.name), !object.isBeingDeleted else { return }
        let service = KnativeService(object, defaults: self.defaults)
        let proxied = self.found.all(.podAutoscalers).filter {
            $0.value.json[path: "status", "path"]?.string == "activator"
        }
        let plan = ServicePlan(
            service,
            revisions: self.found.all(.revisions).values.compactMap(Revision.init),
            proxied: Set(proxied.keys),
            settings: self.settings
        )
        var obstacles = ServicePlan.Obstacles()
        obstacles.revision = try await self.renew(plan)
        for revision in plan.revisions where !revision.isBeingDeleted { try await self.carryOut(revision, plan) }
        try await self.route(plan, &obstacles)
        for revision in plan.obsolete {
            _ = try await self.attempt { try await $0.delete(.revisions, revision.id) }
        }
        let status = plan.status(obstacles: obstacles, now: self.now)
        try await self.writeStatus(.knativeServices, id, before: service.status, status)
    }

    /// Makes the newest revision; says what was refused.
    private mutating func renew(_ plan: ServicePlan) async throws -> String? {
        guard plan.service.templateProblems.isEmpty else { return nil }
        if let adopted = plan.adopted {
            let labels = [ServingLabels.configurationGeneration: String(adopted.generation)]
            _ = try await self.attempt {
                try await $0.patch(
                    .revisions,
                    adopted.id,
                    subresource: nil,
                    ["metadata": ["labels": JSONValue(labels)]]
                )
            }
        }
        guard let revision = plan.newRevision else { return nil }
        return try await self.create(.revisions, revision, for: plan.service.uid).message(revision)
    }

    // MARK: Revisions

    private mutating func carryOut(_ revision: Revision, _ plan: ServicePlan) async throws {
        let objects = RevisionObjects(
            revision,
            isReachable: plan.reachable.contains(revision.id.name),
            isHeldInProxies: self.settings.holdsInProxies,
            defaults: self.defaults
        )
        let deployment = self.found.object(.deployments, objects.deploymentName)
        let autoscaler = self.found.object(.podAutoscalers, revision.id.name)
        var missing: [(ResourceType, KubernetesObject)] = []
        if deployment == nil { missing.append((.deployments, objects.deployment(initialScale: objects.firstScale))) }
        if self.found.object(.services, revision.id.name) == nil { missing.append((.services, objects.service)) }
        if autoscaler == nil { missing.append((.podAutoscalers, objects.podAutoscaler)) }
        var refusal: String?
        for (type, object) in missing {
            let message = try await self.create(type, object, for: revision.uid).message(object)
            refusal = refusal ?? message
        }
        if let autoscaler, let changes = RevisionObjects.changes(of: autoscaler, to: objects.podAutoscaler) {
            let change: JSONValue = ["spec": changes]
            let message = try await self.attempt {
                try await $0.patch(.podAutoscalers, revision.id, subresource: nil, change)
            }
            refusal = refusal ?? message
        }
        let status = objects.status(
            deployment: deployment?.json,
            podAutoscaler: autoscaler?.json,
            refusal: refusal,
            now: self.now
        )
        try await self.writeStatus(.revisions, revision.id, before: revision.status, status)
    }

    // MARK: Routes

    private static var later: String { "The API server did not take the routes yet; it is asked again soon." }

    private mutating func route(_ plan: ServicePlan, _ obstacles: inout ServicePlan.Obstacles) async throws {
        let service = plan.service
        for entry in plan.entries where self.found.object(.services, entry.name) == nil {
            // Somebody's own Service of that name stays: clients call it, and the route has its host.
            guard case .refused(let message) = try await self.create(.services, entry, for: service.uid) else {
                continue
            }
            obstacles.route = obstacles.route ?? message ?? Self.later
        }
        for route in plan.virtualServices {
            let id = ObjectID(namespace: service.id.namespace, name: route.name)
            var there = self.found.object(.virtualServices, route.name)
            if there == nil {
                switch try await self.create(.virtualServices, route, for: service.uid) {
                case .made: continue
                case .isThere(let object): there = object
                case .isForeign: obstacles.foreignRoutes.append(route.name)
                case .refused(let message): obstacles.route = obstacles.route ?? message ?? Self.later
                }
            }
            guard let there else { continue }
            guard Self.owns(service.uid, there) else {
                obstacles.foreignRoutes.append(route.name)
                continue
            }
            guard there.json["spec"] != route.json["spec"] else { continue }
            let change: JSONValue = ["spec": route.json["spec"] ?? .null]
            let message = try await self.attempt {
                try await $0.patch(.virtualServices, id, subresource: nil, change)
            }
            obstacles.route = obstacles.route ?? message
        }
        for (kind, type) in [(.virtualServices, .virtualServices), (.services, .services)]
            as [(ServingIndex.Kind, ResourceType)]
        {
            for name in plan.outdated(self.found.names(kind, ownedBy: service.uid)) {
                let id = ObjectID(namespace: service.id.namespace, name: name)
                _ = try await self.attempt { try await $0.delete(type, id) }
            }
        }
    }

    // MARK: Writes

    private enum OnCreate {
        case made
        /// It was there before it was heard of.
        case isThere(KubernetesObject)
        case isForeign
        case refused(String?)

        /// What stands in the way, if anything does.
        func message(_ object: KubernetesObject) -> String? {
            switch self {
            case .made, .isThere: nil
            case .isForeign:
                "\(object.kind) \(object.name) belongs to somebody else and is left as it is; rename or delete it"
            case .refused(let message): message
            }
        }
    }

    private static func owns(_ uid: String, _ object: KubernetesObject) -> Bool {
        object.ownerReferences.contains { $0.uid == uid }
    }

    /// Creates an object that the one with `uid` owns.
    private mutating func create(
        _ type: ResourceType,
        _ object: KubernetesObject,
        for uid: String
    ) async throws -> OnCreate {
        do {
            try await self.api.create(type, object)
            return .made
        } catch let error as KubernetesError where error.isAlreadyExists {
            let id = ObjectID(namespace: object.namespace ?? "", name: object.name)
            do {
                let there = try await self.api.get(type, id)
                if Self.owns(uid, there) { return .isThere(there) }
            } catch let error as KubernetesError where error.code != .unreachable {
                // It has gone meanwhile, or may not be read.
                return .refused(self.note(error))
            }
            // Nothing tells when it goes.
            self.isIncomplete = true
            return .isForeign
        } catch let error as KubernetesError where error.code != .unreachable {
            return .refused(self.note(error))
        }
    }

    /// Says what was refused; `nil` if nothing was, or nothing that would be told to people.
    private mutating func attempt(_ write: (API) async throws -> Void) async throws -> String? {
        do {
            try await write(self.api)
            return nil
        } catch let error as KubernetesError where error.code != .unreachable {
            return self.note(error)
        }
    }

    /// What has changed meanwhile, and a server that has too much to do, are nobody's mistake.
    private mutating func note(_ error: KubernetesError) -> String? {
        self.refusals.append(error)
        self.isIncomplete = true
        let code = error.status?.code ?? 0
        guard error.code == .refused, !error.isConflict, code != 429, code < 500 else { return nil }
        return error.description
    }

    private mutating func writeStatus(
        _ type: ResourceType,
        _ id: ObjectID,
        before: JSONValue,
        _ status: JSONValue
    ) async throws {
        guard status != before else { return }
        var change = status
        // What is not to be there any more has to be said: the rest is merged.
        for name in (before.object ?? [:]).keys where status[name] == nil { change[name] = .null }
        _ = try await self.attempt { try await $0.patch(type, id, subresource: "status", ["status": change]) }
    }
}
