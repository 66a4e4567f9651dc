import KubernetesAPI
import MeshModel
import Serverless
import Testing

@Suite struct ServicePlanTests {
    private func service(_ spec: JSONValue? = nil, generation: Int = 1) -> KnativeService {
        var object = KubernetesObject(.knativeServices, namespace: "default", name: "hello")
        object.generation = generation
        object.json["spec"] =
            spec ?? [
                "template": [
                    "metadata": ["annotations": ["autoscaling.knative.dev/target": "10"]],
                    "spec": [
                        "containerConcurrency": 5,
                        "containers": [["image": "hello", "ports": [["containerPort": 8888]]]],
                    ],
                ]
            ]
        return KnativeService(object)
    }

    private func revision(_ name: String, generation: Int, isReady: Bool = true) throws -> Revision {
        var object = KubernetesObject(.revisions, namespace: "default", name: name)
        object.labels = [
            "serving.knative.dev/service": "hello", "serving.knative.dev/configurationGeneration": String(generation),
        ]
        object.json["spec"] = ["containers": [["image": "hello", "ports": [["containerPort": 8888]]]]]
        object.json["status"] = ["conditions": [["type": "Ready", "status": isReady ? "True" : "Unknown"]]]
        return try #require(Revision(object))
    }

    private func plan(
        _ service: KnativeService,
        _ revisions: [Revision]
    ) -> ServicePlan {
        ServicePlan(service, revisions: revisions, proxied: [], settings: ServicePlan.Settings())
    }

    @Test("A new service gets a revision that is named by its generation and has the template's annotations")
    func newRevision() throws {
        let revision = try #require(self.plan(self.service(generation: 3), []).newRevision)

        #expect(revision.name == "hello-00003")
        #expect(revision.annotations == ["autoscaling.knative.dev/target": "10"])
        #expect(revision.labels["serving.knative.dev/service"] == "hello")
        #expect(revision.json[path: "spec", "containerConcurrency"]?.int == 5)
        #expect(revision.ownerReferences.first?.kind == "Service")
    }

    @Test("A revision that exists is not made again")
    func existingRevision() throws {
        #expect(self.plan(self.service(), [try self.revision("hello-00001", generation: 1)]).newRevision == nil)
    }

    /// As the plan of generation 1 has made it.
    private func made(_ service: KnativeService) throws -> Revision {
        var object = try #require(self.plan(service, []).newRevision)
        object.json["status"] = ["conditions": [["type": "Ready", "status": "True"]]]
        return try #require(Revision(object))
    }

    @Test("A change of the traffic makes no revision; one of the template's spec, annotations or labels does")
    func sameTemplate() throws {
        func spec(_ image: String, target: String = "10", tier: String = "a") -> JSONValue {
            [
                "template": [
                    "metadata": [
                        "annotations": ["autoscaling.knative.dev/target": .string(target)],
                        "labels": ["tier": .string(tier)],
                    ],
                    "spec": ["containers": [["image": .string(image)]]],
                ]
            ]
        }
        let made = try self.made(self.service(spec("hello")))
        var moved = spec("hello")
        moved["traffic"] = [["revisionName": "hello-00001", "percent": 100]]
        let plan = self.plan(self.service(moved, generation: 2), [made])

        #expect(plan.newRevision == nil)
        #expect(plan.status(now: 0)["latestCreatedRevisionName"]?.string == "hello-00001")
        for changed in [spec("other"), spec("hello", target: "11"), spec("hello", tier: "b")] {
            #expect(self.plan(self.service(changed, generation: 2), [made]).newRevision?.name == "hello-00002")
        }
    }

    @Test("The newest twenty revisions without traffic are kept, and those that are named")
    func obsolete() throws {
        let spec: JSONValue = [
            "template": ["spec": ["containers": [["image": "hello"]]]],
            "traffic": [["revisionName": "hello-2", "percent": 100], ["revisionName": "hello-1", "percent": 0]],
        ]
        func plan(_ count: Int) throws -> ServicePlan {
            let revisions = try (1...count).map { try self.revision("hello-\($0)", generation: $0) }
            return self.plan(self.service(spec, generation: count), revisions)
        }

        #expect(try plan(23).obsolete == [])
        #expect(try plan(25).obsolete.map(\.id.name) == ["hello-3", "hello-4"])
    }

    @Test("A request may take as long as the revision that allows most says")
    func timeout() throws {
        let spec: JSONValue = [
            "template": ["spec": ["timeoutSeconds": 20, "containers": [["image": "hello"]]]]
        ]
        let service = self.service(spec)
        let route = try #require(self.plan(service, [try self.made(service)]).virtualService)

        #expect(route.json[path: "spec", "http", "0", "timeout"]?.string == "20s")
    }

    @Test("Traffic stays at the last revision that is ready while a newer one comes up")
    func rollout() throws {
        let plan = self.plan(
            self.service(generation: 2),
            [
                try self.revision("hello-00001", generation: 1),
                try self.revision("hello-00002", generation: 2, isReady: false),
            ]
        )

        #expect(plan.shares.map(\.revision) == ["hello-00001"])
        #expect(plan.reachable == ["hello-00001", "hello-00002"])
    }

    @Test("A split goes to the revisions it names, each with the headers that say whose requests these are")
    func split() throws {
        let spec: JSONValue = [
            "template": ["spec": ["containers": [["image": "hello"]]]],
            "traffic": [
                ["revisionName": "hello-00001", "percent": 80], ["latestRevision": true, "percent": 20],
            ],
        ]
        let revisions = [
            try self.revision("hello-00001", generation: 1), try self.revision("hello-00002", generation: 2),
        ]
        let route = try #require(self.plan(self.service(spec, generation: 2), revisions).virtualService)
        let destinations = route.json[path: "spec", "http", "0", "route"]?.array ?? []

        #expect(destinations.map { $0["weight"]?.int } == [80, 20])
        #expect(
            destinations.map { $0[path: "destination", "host"]?.string } == [
                "hello-00001.default.svc.cluster.local", "hello-00002.default.svc.cluster.local",
            ]
        )
        #expect(
            destinations[1][path: "headers", "request", "set", "Knative-Serving-Revision"]?.string == "hello-00002"
        )
    }

    @Test("Requests go to the activator if there is one; on demand, only those of a revision without room")
    func activator() throws {
        let revisions = [try self.revision("hello-00001", generation: 1)]
        func host(_ activator: String?, proxied: Set<String> = [], isOnDemand: Bool = false) -> String? {
            var settings = ServicePlan.Settings()
            settings.activator = activator
            settings.isActivatorOnDemand = isOnDemand
            let plan = ServicePlan(self.service(), revisions: revisions, proxied: proxied, settings: settings)
            return plan.virtualService?
                .json[path: "spec", "http", "0", "route", "0", "destination", "host"]?.string
        }

        #expect(host(nil, proxied: ["hello-00001"]) == "hello-00001.default.svc.cluster.local")
        #expect(host("activator") == "activator")
        #expect(host("activator", isOnDemand: true) == "hello-00001.default.svc.cluster.local")
        #expect(host("activator", proxied: ["hello-00001"], isOnDemand: true) == "activator")
    }

    @Test("A ready service says so, with its address")
    func ready() throws {
        let status = self.plan(self.service(), [try self.revision("hello-00001", generation: 1)]).status(now: 0)

        #expect(StatusCondition.isTrue("Ready", in: status))
        #expect(status["url"]?.string == "http://hello.default.svc.cluster.local")
        #expect(status["latestReadyRevisionName"]?.string == "hello-00001")
    }

    @Test("Traffic to a revision that does not exist is told with those that do")
    func missingRevision() throws {
        let spec: JSONValue = [
            "template": ["spec": ["containers": [["image": "hello"]]]],
            "traffic": [["revisionName": "hello-9", "percent": 100]],
        ]
        let plan = self.plan(self.service(spec), [try self.revision("hello-00001", generation: 1)])
        let text = plan.status(now: 0).text()

        #expect(plan.virtualService == nil)
        #expect(text.contains("spec.traffic names revision hello-9"))
        #expect(text.contains("hello-00001"))
    }

    @Test(
        "What cannot be carried out is told with the field's path",
        arguments: [
            ("{template: {spec: {containers: []}}}", "spec.template.spec.containers"),
            (
                "{template: {metadata: {annotations: {autoscaling.knative.dev/min-scale: x}}, spec: {containers: [{image: a}]}}}",
                "spec.template.metadata.annotations: autoscaling.knative.dev/min-scale"
            ),
            (
                "{template: {spec: {containers: [{image: a}]}}, traffic: [{latestRevision: true, percent: 90}]}",
                "spec.traffic: the percentages add up to 90"
            ),
            (
                "{template: {metadata: {name: other-1}, spec: {containers: [{image: a}]}}}",
                "spec.template.metadata.name: other-1 has to begin with hello-"
            ),
        ]
    )
    func problems(_ spec: String, _ expected: String) throws {
        let status = self.plan(self.service(try YAML.parse(spec)), []).status(now: 0)

        #expect(!StatusCondition.isTrue("Ready", in: status))
        #expect(status.text().contains(expected), "\(status.text())")
    }

    @Test("A revision's Deployment tells its program where to listen, and asks whether it does")
    func deployment() throws {
        var revision = try self.revision("hello-00001", generation: 1)
        revision.labels["tier"] = "a"
        let objects = RevisionObjects(revision, isReachable: true)
        let labels = objects.deployment(initialScale: 2).json[path: "spec", "template", "metadata", "labels"]
        let container = objects.deployment(initialScale: 2).json[path: "spec", "template", "spec", "containers", "0"]

        #expect(objects.deployment(initialScale: 2).json[path: "spec", "replicas"]?.int == 2)
        #expect(labels?["tier"]?.string == "a")
        #expect(labels?["serving.knative.dev/revision"]?.string == "hello-00001")
        #expect(container?[path: "env", "0", "value"]?.string == "8888")
        #expect(container?[path: "readinessProbe", "tcpSocket", "port"]?.int == 8888)
        #expect(objects.service.json[path: "spec", "ports", "0", "targetPort"]?.int == 8888)
        #expect(objects.podAutoscaler.json[path: "spec", "scaleTargetRef", "name"]?.string == "hello-00001-deployment")
    }

    @Test("A revision's Service has proxies hold its requests, and ask its pods where a connection tells enough")
    func held() throws {
        func annotations(_ probe: JSONValue?, isHeldInProxies: Bool = true) throws -> [String: String] {
            var revision = try self.revision("hello-00001", generation: 1)
            var container: JSONValue = ["image": "hello"]
            container["readinessProbe"] = probe
            revision.spec["containers"] = [container]
            let objects = RevisionObjects(revision, isReachable: true, isHeldInProxies: isHeldInProxies)
            return objects.service.annotations
        }

        #expect(try annotations(nil)["activation.lateen.dev/revision"] == "hello-00001")
        #expect(try annotations(nil)["activation.lateen.dev/probe"] == "connect")
        #expect(try annotations(["tcpSocket": ["port": 8888]])["activation.lateen.dev/probe"] == "connect")
        #expect(try annotations(["httpGet": ["port": 8888]])["activation.lateen.dev/probe"] == nil)
        #expect(try annotations(nil, isHeldInProxies: false) == [:])
    }

    @Test("A revision that went to zero stays ready, one whose pods never came does not become it")
    func revisionStatus() throws {
        let idle: JSONValue = [
            "status": ["conditions": [["type": "Active", "status": "False", "reason": "NoTraffic"]]]
        ]
        let deployment: JSONValue = ["spec": ["replicas": 0], "status": ["readyReplicas": 1]]
        var revision = try self.revision("hello-00001", generation: 1)
        revision.status = RevisionObjects(revision, isReachable: true)
            .status(deployment: deployment, podAutoscaler: nil, now: 0)
        #expect(revision.isReady)
        revision.status = RevisionObjects(revision, isReachable: true)
            .status(deployment: ["spec": ["replicas": 0]], podAutoscaler: idle, now: 9)
        #expect(revision.isReady)

        let timedOut: JSONValue = [
            "status": ["conditions": [["type": "Active", "status": "False", "reason": "TimedOut"]]]
        ]
        revision.status = .object([:])
        revision.status = RevisionObjects(revision, isReachable: true)
            .status(deployment: ["spec": ["replicas": 1]], podAutoscaler: timedOut, now: 9)
        #expect(!revision.isReady)
        #expect(revision.status.text().contains("ProgressDeadlineExceeded"))
    }
}
