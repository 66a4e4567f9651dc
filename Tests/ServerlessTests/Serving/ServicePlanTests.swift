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
        let route = try #require(self.plan(service, [try self.made(service)]).virtualServices.first)

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
        let route = try #require(self.plan(self.service(spec, generation: 2), revisions).virtualServices.first)
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
            return plan.virtualServices.first?
                .json[path: "spec", "http", "0", "route", "0", "destination", "host"]?.string
        }

        #expect(host(nil, proxied: ["hello-00001"]) == "hello-00001.default.svc.cluster.local")
        #expect(host("activator") == "activator")
        #expect(host("activator", isOnDemand: true) == "hello-00001.default.svc.cluster.local")
        #expect(host("activator", proxied: ["hello-00001"], isOnDemand: true) == "activator")
    }

    @Test("An activator is spoken to at its port for HTTP/2 if the revision speaks that")
    func activatorPort() throws {
        func port(_ name: JSONValue, activator: String?) throws -> Int? {
            var object = KubernetesObject(.revisions, namespace: "default", name: "hello-00001")
            object.labels = [
                "serving.knative.dev/service": "hello", "serving.knative.dev/configurationGeneration": "1",
            ]
            object.json["spec"] = ["containers": [["ports": [["name": name, "containerPort": 8888]]]]]
            object.json["status"] = ["conditions": [["type": "Ready", "status": "True"]]]
            var settings = ServicePlan.Settings()
            settings.activator = activator
            let revision = try #require(Revision(object))
            let plan = ServicePlan(self.service(), revisions: [revision], proxied: [], settings: settings)
            return plan.virtualServices.first?
                .json[path: "spec", "http", "0", "route", "0", "destination", "port", "number"]?.int
        }

        #expect(try port("h2c", activator: "activator") == 81)
        #expect(try port("http1", activator: "activator") == 80)
        #expect(try port("h2c", activator: nil) == 80)
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

        #expect(plan.virtualServices.isEmpty)
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

    @Test(
        "A split that cannot be understood changes no route and says where traffic goes on",
        arguments: [
            "[{revisionName: hello-00001}]", "[{revisionName: hello-00001, percent: 110}, {percent: -10}]",
            "[{latestRevision: false, percent: 100}]", "[{percent: 100, tag: Blue}]",
            "[{percent: 100, tag: blue}, {percent: 0, tag: blue}]",
        ]
    )
    func invalidTraffic(_ traffic: String) throws {
        var spec: JSONValue = ["template": ["spec": ["containers": [["image": "hello"]]]]]
        spec["traffic"] = try YAML.parse(traffic)
        var service = self.service(spec, generation: 2)
        service.status = ["traffic": [["revisionName": "hello-00001", "percent": 100, "latestRevision": true]]]
        let revisions = [
            try self.revision("hello-00001", generation: 1), try self.revision("hello-00002", generation: 2),
        ]
        let plan = self.plan(service, revisions)

        #expect(plan.virtualServices.isEmpty && plan.obsolete.isEmpty)
        #expect(plan.reachable == ["hello-00001"])
        #expect(plan.status(now: 0)[path: "traffic", "0", "revisionName"]?.string == "hello-00001")
        #expect(plan.status(now: 0).text().contains("spec.traffic"))
    }

    @Test("A template that cannot be used does not keep traffic from going back")
    func rollback() throws {
        let spec: JSONValue = [
            "template": [
                "metadata": ["annotations": ["autoscaling.knative.dev/min-scale": "few"]],
                "spec": ["containers": [["image": "hello"]]],
            ],
            "traffic": [["revisionName": "hello-00001", "percent": 100]],
        ]
        let plan = self.plan(self.service(spec, generation: 2), [try self.revision("hello-00001", generation: 1)])

        #expect(plan.virtualServices.count == 1)
        #expect(!StatusCondition.isTrue("Ready", in: plan.status(now: 0)))
    }

    @Test("A revision's pods say to their own proxies whose they are and how much they take, whoever holds requests")
    func counted() throws {
        for isHeldInProxies in [true, false] {
            let revision = try self.made(self.service())
            let objects = RevisionObjects(revision, isReachable: true, isHeldInProxies: isHeldInProxies)
            let template = objects.deployment(initialScale: nil).json[path: "spec", "template", "metadata"]

            #expect(template?[path: "annotations", "activation.lateen.dev/revision"]?.string == "hello-00001")
            #expect(template?[path: "annotations", "activation.lateen.dev/concurrency"]?.string == "5")
            #expect(template?[path: "annotations", "autoscaling.knative.dev/target"]?.string == "10")
        }
    }

    /// A service whose template names its revision.
    private func named(_ name: String, image: String, generation: Int) -> KnativeService {
        let template: JSONValue = [
            "metadata": ["name": .string(name)], "spec": ["containers": [["image": .string(image)]]],
        ]
        return self.service(["template": template], generation: generation)
    }

    @Test("A new template under a name that is taken is told, and makes nothing")
    func nameTaken() throws {
        let one = try self.made(self.named("hello-one", image: "a", generation: 1))
        let plan = self.plan(self.named("hello-one", image: "b", generation: 2), [one])
        let status = plan.status(now: 0)

        #expect(plan.newRevision == nil)
        #expect(!StatusCondition.isTrue("Ready", in: status))
        #expect(status[path: "conditions", "0", "reason"]?.string == "RevisionNameTaken")
        #expect(plan.shares.map(\.revision) == ["hello-one"])
        #expect(self.plan(self.named("hello-one", image: "a", generation: 2), [one]).nameTaker == nil)
    }

    @Test("Going back to the name of an older revision makes that the latest, and keeps it so")
    func adopted() throws {
        let one = try self.made(self.named("hello-one", image: "a", generation: 1))
        let two = try self.made(self.named("hello-two", image: "b", generation: 2))
        #expect(self.plan(self.named("hello-two", image: "b", generation: 2), [one, two]).adopted == nil)
        let back = self.plan(self.named("hello-one", image: "a", generation: 3), [one, two])

        #expect(back.adopted?.generation == 3)
        #expect(back.shares.map(\.revision) == ["hello-one"])
        #expect(back.status(now: 0)["latestReadyRevisionName"]?.string == "hello-one")
        // A later one that is not ready yet takes nothing from it.
        var three = try self.made(self.named("hello-three", image: "c", generation: 4))
        three.status = .object([:])
        let adopted = try #require(back.adopted)
        let later = self.plan(self.named("hello-three", image: "c", generation: 4), [adopted, two, three])
        #expect(later.shares.map(\.revision) == ["hello-one"])
    }

    @Test("A part of the traffic with a tag has a name of its own, which leads to its revision alone")
    func tags() throws {
        let spec: JSONValue = [
            "template": ["spec": ["containers": [["image": "hello"]]]],
            "traffic": [
                ["revisionName": "hello-00001", "percent": 100], ["latestRevision": true, "percent": 0, "tag": "next"],
            ],
        ]
        let revisions = [
            try self.revision("hello-00001", generation: 1), try self.revision("hello-00002", generation: 2),
        ]
        let plan = self.plan(self.service(spec, generation: 2), revisions)
        let routes = plan.virtualServices

        #expect(routes.map(\.name) == ["hello", "next-hello"])
        #expect(plan.entries.map(\.name) == ["hello", "next-hello"])
        try #require(routes.count == 2)
        #expect(routes[0].json[path: "spec", "http", "0", "route"]?.array?.count == 1)
        #expect(routes[1].json[path: "spec", "hosts", "0"]?.string == "next-hello.default.svc.cluster.local")
        let destination = routes[1].json[path: "spec", "http", "0", "route", "0"]
        #expect(destination?["weight"]?.int == 100)
        #expect(destination?[path: "destination", "host"]?.string == "hello-00002.default.svc.cluster.local")
        let status = plan.status(now: 0)
        #expect(status[path: "traffic", "1", "url"]?.string == "http://next-hello.default.svc.cluster.local")
        #expect(plan.outdated(["hello", "next-hello", "old-hello", "hello-00001"]) == ["old-hello"])
    }

    @Test("The cluster's defaults say what annotations may be")
    func defaults() throws {
        var object = KubernetesObject(.knativeServices, namespace: "default", name: "hello")
        object.json["spec"] = [
            "template": [
                "metadata": ["annotations": ["autoscaling.knative.dev/initial-scale": "0"]],
                "spec": ["containers": [["image": "hello"]]],
            ]
        ]
        let allowing = AutoscalerDefaults.parse(["allow-zero-initial-scale": "true"]).defaults

        #expect(KnativeService(object).templateProblems.count == 1)
        #expect(KnativeService(object, defaults: allowing).problems == [])
    }
}
