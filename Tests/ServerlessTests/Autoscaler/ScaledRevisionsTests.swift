import KubernetesAPI
import MeshModel
import RequestReports
import Serverless
import Testing

@Suite struct ScaledRevisionsTests {
    private typealias Source = ScaledRevisions.Source

    private let revision = ObjectID(namespace: "default", name: "hello-00001")
    /// As it is written for a revision that has had ten pods for long.
    private static let active: JSONValue = [
        "actualScale": 10, "desiredScale": 10, "path": "direct",
        "conditions": [
            ["type": "Active", "status": "True", "lastTransitionTime": "1970-01-01T00:01:40Z"],
            ["type": "ScaleTargetInitialized", "status": "True"],
        ],
    ]

    private func object(_ status: JSONValue? = Self.active, annotations: [String: String] = [:]) -> KubernetesObject {
        var object = KubernetesObject(.podAutoscalers, namespace: "default", name: "hello-00001")
        object.annotations = annotations
        object.json["spec"] = [
            "scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": "hello-00001-deployment"]
        ]
        object.json["status"] = status
        return object
    }

    private func deployment(ready: Int, replicas: Int) -> KubernetesObject {
        var object = KubernetesObject(.deployments, namespace: "default", name: "hello-00001-deployment")
        object.json["spec"] = ["replicas": JSONValue(replicas)]
        object.json["status"] = ["readyReplicas": JSONValue(ready)]
        return object
    }

    /// All that was decided while the objects were listed in the order `sources`.
    private func list(
        _ revisions: inout ScaledRevisions,
        _ sources: [Source] = Source.allCases,
        object: KubernetesObject? = nil,
        at now: Duration
    ) -> [Autoscaler.Outcome] {
        var outcomes: [Autoscaler.Outcome] = []
        for source in sources {
            switch source {
            case .podAutoscalers:
                outcomes += revisions.podAutoscalersChanged(.replacedAll([object ?? self.object()]), at: now).outcomes
            case .deployments:
                let deployment = self.deployment(ready: 10, replicas: 10)
                outcomes += revisions.deploymentsChanged(.replacedAll([deployment]), at: now).outcomes
            case .defaults: outcomes += revisions.defaultsChanged(AutoscalerDefaults(), at: now).outcomes
            }
            outcomes += revisions.listed(source, at: now).outcomes
        }
        return outcomes
    }

    @Test(
        "After a restart no pod goes before those who report have had a whole window to come back",
        arguments: [
            [Source.podAutoscalers, .deployments, .defaults], [.deployments, .podAutoscalers, .defaults],
            [.defaults, .podAutoscalers, .deployments],
        ]
    )
    private func restart(_ order: [Source]) {
        var revisions = ScaledRevisions()
        let listed = self.list(&revisions, order, at: .seconds(1000))
        #expect(listed.isEmpty)
        var scales: [Int64: Int] = [:]
        for second in stride(from: Int64(1002), through: 1062, by: 2) {
            for outcome in revisions.tick(at: .seconds(second)) { scales[second] = outcome.scale }
        }

        // Nobody has reported for all that time: no traffic.
        #expect(scales == [1062: 5])
    }

    @Test("After a restart the reports that come first, of a part of the load, take no pod away")
    func firstReports() {
        var revisions = ScaledRevisions()
        _ = self.list(&revisions, at: .seconds(1000))
        var scales: [Int] = []
        for second in stride(from: Int64(1002), through: 1030, by: 2) {
            let stat = Stat(podName: "one-of-many", averageConcurrentRequests: 70)
            let pokes = revisions.record([StatMessage(revision: self.revision, stat: stat)], at: .seconds(second))
            scales += (pokes + revisions.tick(at: .seconds(second))).compactMap(\.scale)
        }

        #expect(scales == [])
    }

    @Test("Nothing is decided before all is listed, and reports until then are left out")
    func unlisted() {
        var revisions = ScaledRevisions()
        let listed = self.list(&revisions, [.podAutoscalers, .deployments], at: .seconds(1000))
        let stat = Stat(averageConcurrentRequests: 7)
        let poked = revisions.record([StatMessage(revision: self.revision, stat: stat)], at: .seconds(1000))

        #expect(!revisions.isListed)
        #expect(listed.isEmpty && poked.isEmpty)
        #expect(revisions.tick(at: .seconds(1002)).isEmpty)
    }

    @Test("An object whose status says already what there is to say is not written after a restart")
    func knownStatus() {
        var revisions = ScaledRevisions()
        let known = self.list(&revisions, at: .seconds(1000))
        var others = ScaledRevisions()
        let unknown = self.list(&others, object: self.object(nil), at: .seconds(1000))

        #expect(known.isEmpty)
        #expect(unknown.map(\.isStatusNews) == [true])
    }

    @Test("A status that comes back as an event decides nothing; other annotations do, for their revision alone")
    func events() {
        var revisions = ScaledRevisions()
        _ = self.list(&revisions, at: .seconds(1000))
        var status = Self.active
        status["actualScale"] = 9

        #expect(revisions.podAutoscalersChanged(.modified(self.object(status)), at: .seconds(1001)).outcomes.isEmpty)
        let changed = self.object(status, annotations: ["autoscaling.knative.dev/target": "10"])
        let on = revisions.podAutoscalersChanged(.modified(changed), at: .seconds(1001))
        #expect(on.outcomes.map(\.revision) == [self.revision])
    }

    @Test("An annotation that cannot be used is told once")
    func complaints() {
        var revisions = ScaledRevisions()
        _ = self.list(&revisions, at: .seconds(1000))
        let wrong = self.object(annotations: ["autoscaling.knative.dev/min-scale": "few"])
        let first = revisions.podAutoscalersChanged(.modified(wrong), at: .seconds(1001))
        let second = revisions.podAutoscalersChanged(.modified(wrong), at: .seconds(1002))

        #expect(first.complaints.map(\.problem.name) == ["autoscaling.knative.dev/min-scale"])
        #expect(second.complaints.isEmpty)
    }

    @Test("A Deployment that was set is not set again before its event comes")
    func scaled() {
        var revisions = ScaledRevisions()
        _ = self.list(&revisions, at: .seconds(1000))
        let stat = Stat(averageConcurrentRequests: 1400)
        _ = revisions.record([StatMessage(revision: self.revision, stat: stat)], at: .seconds(1001))
        #expect(revisions.tick(at: .seconds(1002)).map(\.scale) == [20])
        #expect(revisions.autoscaler.outcome(of: self.revision)?.scale == 20)
        revisions.scaled(self.revision, to: 20)

        #expect(revisions.autoscaler.outcome(of: self.revision)?.scale == nil)
        #expect(revisions.tick(at: .seconds(1004)).compactMap(\.scale) == [])
    }
}
