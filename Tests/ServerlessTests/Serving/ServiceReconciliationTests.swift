import KubernetesAPI
import MeshModel
import Serverless
import Synchronization
import Testing

@Suite struct ServiceReconciliationTests {
    /// Takes what it is told to, and notes it: `create Deployment hello-1-deployment`.
    private final class Server: ServingAPI {
        private let refused: Set<String>
        private let unanswered: Set<String>
        private let taken: [String: KubernetesObject]
        private let noted = Mutex<[String]>([])
        private let changed = Mutex<[String: JSONValue]>([:])

        /// - Parameters:
        ///   - refused: writes that are not allowed.
        ///   - unanswered: writes that get no answer in time.
        ///   - taken: objects that are there although nothing tells of them.
        init(refused: Set<String> = [], unanswered: Set<String> = [], taken: [KubernetesObject] = []) {
            self.refused = refused
            self.unanswered = unanswered
            self.taken = Dictionary(taken.map { ("\($0.kind) \($0.name)", $0) }) { $1 }
        }

        var writes: [String] { self.noted.withLock { $0 } }
        func change(_ write: String) -> JSONValue? { self.changed.withLock { $0[write] } }

        private func note(_ write: String, _ change: JSONValue = .null) throws {
            if self.refused.contains(write) { throw Self.error(422, "Invalid", "\(write) is not allowed") }
            if self.unanswered.contains(write) { throw KubernetesError(code: .timedOut, message: "no answer in time") }
            self.noted.withLock { $0.append(write) }
            self.changed.withLock { $0[write] = change }
        }

        private static func error(_ code: Int, _ reason: String, _ message: String) -> KubernetesError {
            let status = Status(code: code, reason: reason, message: message)
            return KubernetesError(code: .refused, status: status, message: message)
        }

        func get(_ type: ResourceType, _ id: ObjectID) async throws -> KubernetesObject {
            guard let object = self.taken["\(type.kind) \(id.name)"] else {
                throw Self.error(404, "NotFound", "\(id) not found")
            }
            return object
        }

        func create(_ type: ResourceType, _ object: KubernetesObject) async throws {
            if self.taken["\(type.kind) \(object.name)"] != nil {
                throw Self.error(409, "AlreadyExists", "\(object.name) is there")
            }
            try self.note("create \(type.kind) \(object.name)", object.json)
        }

        func patch(_ type: ResourceType, _ id: ObjectID, subresource: String?, _ change: JSONValue) async throws {
            try self.note("patch \(type.kind) \(id.name)" + (subresource.map { " \($0)" } ?? ""), change)
        }

        func delete(_ type: ResourceType, _ id: ObjectID) async throws {
            try self.note("delete \(type.kind) \(id.name)")
        }
    }

    private let id = ObjectID(namespace: "default", name: "hello")

    private func service(traffic: JSONValue? = nil) -> KubernetesObject {
        var object = KubernetesObject(.knativeServices, namespace: "default", name: "hello")
        object.uid = "of-the-service"
        object.generation = 2
        var spec: JSONValue = ["template": ["spec": ["containers": [["image": "hello"]]]]]
        spec["traffic"] = traffic
        object.json["spec"] = spec
        return object
    }

    private func revision(_ generation: Int, isReady: Bool) -> KubernetesObject {
        var object = KubernetesObject(.revisions, namespace: "default", name: "hello-0000\(generation)")
        object.uid = "of-revision-\(generation)"
        object.labels = [
            "serving.knative.dev/service": "hello", "serving.knative.dev/configurationGeneration": String(generation),
        ]
        object.json["spec"] = ["containers": [["image": "hello"]]]
        if isReady {
            object.json["status"] = [
                "conditions": [
                    ["type": "ContainerHealthy", "status": "True"], ["type": "Ready", "status": "True"],
                ]
            ]
        }
        return object
    }

    private func virtualService(owner: String?, isLabelled: Bool = true) -> KubernetesObject {
        var object = KubernetesObject(.virtualServices, namespace: "default", name: "hello")
        if isLabelled { object.labels = ["serving.knative.dev/service": "hello"] }
        if let owner {
            object.ownerReferences = [
                OwnerReference(apiVersion: "serving.knative.dev/v1", kind: "Service", name: "hello", uid: owner)
            ]
        }
        object.json["spec"] = ["hosts": ["hello.example"]]
        return object
    }

    /// What is written for a service with these objects.
    private func run(
        _ service: KubernetesObject,
        revisions: [KubernetesObject] = [],
        virtualServices: [KubernetesObject] = [],
        on server: Server
    ) async throws -> ServiceReconciliation<Server> {
        var index = ServingIndex()
        _ = index.changed(.knativeServices, .replacedAll([service]))
        _ = index.changed(.revisions, .replacedAll(revisions))
        _ = index.changed(.virtualServices, .replacedAll(virtualServices))
        var reconciliation = ServiceReconciliation(
            index.entry(self.id),
            settings: ServicePlan.Settings(),
            defaults: AutoscalerDefaults(),
            api: server,
            now: 0
        )
        try await reconciliation.run(self.id)
        return reconciliation
    }

    private func condition(_ type: String, _ change: JSONValue?) -> JSONValue? {
        change?[path: "status", "conditions"]?.array?.first { $0["type"]?.string == type }
    }

    @Test("A revision whose objects are refused says so, and keeps traffic from going back to another in no way")
    func refusedRevision() async throws {
        let server = Server(refused: ["create Deployment hello-00002-deployment"])
        let traffic: JSONValue = [["revisionName": "hello-00001", "percent": 100]]
        let done = try await self.run(
            self.service(traffic: traffic),
            revisions: [self.revision(1, isReady: true), self.revision(2, isReady: false)],
            virtualServices: [self.virtualService(owner: "of-the-service")],
            on: server
        )

        #expect(server.writes.contains("create Deployment hello-00001-deployment"))
        #expect(server.writes.contains("create PodAutoscaler hello-00002"))
        #expect(server.writes.contains("patch VirtualService hello"))
        let revision = server.change("patch Revision hello-00002 status")
        let resources = self.condition("ResourcesAvailable", revision)
        #expect(resources?["status"]?.string == "False")
        #expect(resources?["message"]?.string?.contains("is not allowed") == true)
        let service = server.change("patch Service hello status")
        #expect(self.condition("RoutesReady", service)?["status"]?.string == "True")
        #expect(done.isIncomplete)
    }

    @Test("A write without an answer stops no other, and is nobody's mistake")
    func unanswered() async throws {
        let server = Server(unanswered: ["create Deployment hello-00002-deployment"])
        let done = try await self.run(
            self.service(),
            revisions: [self.revision(1, isReady: true), self.revision(2, isReady: false)],
            on: server
        )
        let revision = server.change("patch Revision hello-00002 status")

        #expect(server.writes.contains("create VirtualService hello"))
        #expect(self.condition("ResourcesAvailable", revision)?["status"]?.string == "Unknown")
        #expect(done.isIncomplete)
    }

    @Test("A new revision that is refused is told in the service's status, and routes go on")
    func refusedTemplate() async throws {
        let server = Server(refused: ["create Revision hello-00002"])
        _ = try await self.run(self.service(), revisions: [self.revision(1, isReady: true)], on: server)
        let status = server.change("patch Service hello status")

        #expect(server.writes.contains("create VirtualService hello"))
        #expect(self.condition("ConfigurationsReady", status)?["reason"]?.string == "RevisionRefused")
    }

    @Test("While the split is wrong the route stays as it is, and the status says what is wrong")
    func invalidTraffic() async throws {
        let server = Server()
        _ = try await self.run(
            self.service(traffic: [["revisionName": "hello-00001"]]),
            revisions: [self.revision(1, isReady: true)],
            virtualServices: [self.virtualService(owner: "of-the-service")],
            on: server
        )
        let status = server.change("patch Service hello status")

        #expect(!server.writes.contains { $0.contains("VirtualService") })
        #expect(self.condition("Ready", status)?["message"]?.string?.contains("spec.traffic") == true)
    }

    @Test("A VirtualService of that name that somebody else made is left, and named", arguments: [true, false])
    func foreignRoute(_ isLabelled: Bool) async throws {
        let theirs = self.virtualService(owner: nil, isLabelled: isLabelled)
        let server = Server(taken: [theirs])
        let done = try await self.run(
            self.service(),
            revisions: [self.revision(2, isReady: true)],
            // One without the label is not followed.
            virtualServices: isLabelled ? [theirs] : [],
            on: server
        )
        let routes = self.condition("RoutesReady", server.change("patch Service hello status"))

        #expect(!server.writes.contains { $0.contains("VirtualService") })
        #expect(routes?["status"]?.string == "False")
        #expect(routes?["reason"]?.string == "NotOwned")
        #expect(routes?["message"]?.string?.contains("default/hello") == true)
        #expect(done.isIncomplete == !isLabelled)
    }

    @Test("What a revision needs and lacks is made, each for itself")
    func missingObjects() async throws {
        var deployment = KubernetesObject(.deployments, namespace: "default", name: "hello-00002-deployment")
        deployment.labels = ["serving.knative.dev/service": "hello"]
        var index = ServingIndex()
        _ = index.changed(.knativeServices, .replacedAll([self.service()]))
        _ = index.changed(.revisions, .replacedAll([self.revision(2, isReady: false)]))
        _ = index.changed(.deployments, .replacedAll([deployment]))
        let server = Server()
        var reconciliation = ServiceReconciliation(
            index.entry(self.id),
            settings: ServicePlan.Settings(),
            defaults: AutoscalerDefaults(),
            api: server,
            now: 0
        )
        try await reconciliation.run(self.id)

        #expect(server.writes.contains("create Service hello-00002"))
        #expect(server.writes.contains("create PodAutoscaler hello-00002"))
        #expect(!server.writes.contains { $0.hasPrefix("create Deployment") })
    }

    @Test("The route of a tag that is no more goes, and nothing that the service does not own")
    func outdated() async throws {
        var old = self.virtualService(owner: "of-the-service")
        old.name = "old-hello"
        var theirs = self.virtualService(owner: "somebody")
        theirs.name = "their-hello"
        let server = Server()
        _ = try await self.run(
            self.service(),
            revisions: [self.revision(2, isReady: true)],
            virtualServices: [old, theirs],
            on: server
        )

        #expect(server.writes.filter { $0.hasPrefix("delete") } == ["delete VirtualService old-hello"])
    }

    @Test("A server that cannot be reached ends it at once")
    func unreachable() async throws {
        struct Away: ServingAPI {
            private var error: KubernetesError { KubernetesError(code: .unreachable, message: "no connection") }
            func get(_ type: ResourceType, _ id: ObjectID) async throws -> KubernetesObject { throw self.error }
            func create(_ type: ResourceType, _ object: KubernetesObject) async throws { throw self.error }
            func patch(_: ResourceType, _: ObjectID, subresource: String?, _: JSONValue) async throws {
                throw self.error
            }
            func delete(_ type: ResourceType, _ id: ObjectID) async throws { throw self.error }
        }
        var index = ServingIndex()
        _ = index.changed(.knativeServices, .replacedAll([self.service()]))
        var reconciliation = ServiceReconciliation(
            index.entry(self.id),
            settings: ServicePlan.Settings(),
            defaults: AutoscalerDefaults(),
            api: Away(),
            now: 0
        )

        do {
            try await reconciliation.run(self.id)
            Issue.record("it went on")
        } catch let error as KubernetesError {
            #expect(error.code == .unreachable)
        }
    }
}
