import KubernetesAPI
import MeshModel
import Serverless
import Testing

@Suite struct RevisionObjectsTests {
    private func revision(_ name: String, generation: Int, isReady: Bool = true) throws -> Revision {
        var object = KubernetesObject(.revisions, namespace: "default", name: name)
        object.labels = [
            "serving.knative.dev/service": "hello", "serving.knative.dev/configurationGeneration": String(generation),
        ]
        object.json["spec"] = ["containers": [["image": "hello", "ports": [["containerPort": 8888]]]]]
        object.json["status"] = ["conditions": [["type": "Ready", "status": isReady ? "True" : "Unknown"]]]
        return try #require(Revision(object))
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

    private func deployment(ready: Int, isProgressing: Bool = true) -> JSONValue {
        [
            "spec": ["replicas": 3],
            "status": [
                "readyReplicas": JSONValue(ready),
                "conditions": [["type": "Progressing", "status": .string(isProgressing ? "True" : "False")]],
            ],
        ]
    }

    private func status(
        _ revision: Revision,
        _ deployment: JSONValue?,
        refusal: String? = nil,
        defaults: AutoscalerDefaults = AutoscalerDefaults()
    ) -> JSONValue {
        RevisionObjects(revision, isReachable: true, defaults: defaults)
            .status(deployment: deployment, podAutoscaler: nil, refusal: refusal, now: 0)
    }

    /// One that nothing is known of yet.
    private func fresh(_ annotations: [String: String]) throws -> Revision {
        var revision = try self.revision("hello-00001", generation: 1)
        revision.annotations = annotations
        revision.status = .object([:])
        return revision
    }

    @Test("A revision is ready with all of its first pods, and then while it has any", arguments: ["initial", "min"])
    func allFirstPods(_ which: String) throws {
        var revision = try self.fresh(["autoscaling.knative.dev/\(which)-scale": "3"])
        for ready in 0...2 {
            let status = self.status(revision, self.deployment(ready: ready))
            #expect(!StatusCondition.isTrue("Ready", in: status), "\(ready)")
        }
        revision.status = self.status(revision, self.deployment(ready: 3))

        #expect(revision.isReady)
        #expect(StatusCondition.isTrue("Ready", in: self.status(revision, self.deployment(ready: 1))))
    }

    @Test("A Deployment that does not get on says so in its revision, unless that was ready before")
    func stuck() throws {
        var revision = try self.fresh(["autoscaling.knative.dev/min-scale": "3"])
        let stuck = self.status(revision, self.deployment(ready: 0, isProgressing: false))
        let conditions = stuck["conditions"]?.array ?? []
        let resources = conditions.first { $0["type"]?.string == "ResourcesAvailable" }
        let ready = conditions.first { $0["type"]?.string == "Ready" }

        #expect(resources?["status"]?.string == "False")
        #expect(resources?["reason"]?.string == "ProgressDeadlineExceeded")
        #expect(ready?["status"]?.string == "False")
        revision.status = stuck
        // It has failed until its pods are there, however the Deployment goes on.
        #expect(self.status(revision, self.deployment(ready: 1)).text().contains("ProgressDeadlineExceeded"))
        revision.status = self.status(revision, self.deployment(ready: 3))
        #expect(revision.isReady)
        #expect(
            StatusCondition.isTrue("Ready", in: self.status(revision, self.deployment(ready: 1, isProgressing: false)))
        )
    }

    @Test("What was refused is told; a revision that was ready before stays so")
    func refused() throws {
        var revision = try self.fresh([:])
        let refused = self.status(revision, nil, refusal: "Deployment: spec is wrong")
        revision.status = self.status(revision, self.deployment(ready: 1))
        let later = self.status(revision, self.deployment(ready: 1), refusal: "PodAutoscaler: not allowed")

        #expect(!StatusCondition.isTrue("Ready", in: refused))
        #expect(refused.text().contains("Deployment: spec is wrong"))
        #expect(StatusCondition.isTrue("Ready", in: later))
        #expect(!StatusCondition.isTrue("ResourcesAvailable", in: later))
    }

    @Test("A revision that begins without pods is ready when its Deployment is there")
    func zeroInitialScale() throws {
        let revision = try self.fresh(["autoscaling.knative.dev/initial-scale": "0"])
        let allowing = AutoscalerDefaults.parse(["allow-zero-initial-scale": "true"]).defaults
        let objects = RevisionObjects(revision, isReachable: true, defaults: allowing)

        #expect(objects.firstScale == 0)
        #expect(!StatusCondition.isTrue("Ready", in: self.status(revision, nil, defaults: allowing)))
        let status = self.status(revision, ["spec": ["replicas": 0]], defaults: allowing)
        #expect(StatusCondition.isTrue("Ready", in: status))
    }

    @Test("A Deployment waits for its pods as long as the revision says")
    func progressDeadline() throws {
        let revision = try self.fresh(["serving.knative.dev/progress-deadline": "120s"])
        let deployment = RevisionObjects(revision, isReachable: true).deployment(initialScale: 1)

        #expect(deployment.json[path: "spec", "progressDeadlineSeconds"]?.int == 120)
    }

    @Test("A PodAutoscaler that is there is told of the revision's time, and of what else may change, only")
    func podAutoscalerChanges() throws {
        var revision = try self.revision("hello-00001", generation: 1)
        revision.spec["timeoutSeconds"] = 20
        let wanted = RevisionObjects(revision, isReachable: true).podAutoscaler
        #expect(wanted.json[path: "spec", "timeoutSeconds"]?.int == 20)

        var found = wanted
        #expect(RevisionObjects.changes(of: found, to: wanted) == nil)
        found.json[path: "spec", "containerConcurrency"] = 7
        #expect(RevisionObjects.changes(of: found, to: wanted) == nil)
        found.json[path: "spec", "timeoutSeconds"] = 300
        #expect(RevisionObjects.changes(of: found, to: wanted) == ["timeoutSeconds": 20])
    }
}
