import KubernetesAPI
import MeshModel
import RequestReports
import Serverless
import Testing

@Suite struct AutoscalerTests {
    private let revision = ObjectID(namespace: "default", name: "hello-00001")
    private let asleep = Activation(phase: .inactive(since: .zero), isInitialized: true, proxiedSince: .zero)

    private func message(_ concurrency: Double, _ name: String = "hello-00001") -> StatMessage {
        StatMessage(
            revision: ObjectID(namespace: "default", name: name),
            stat: Stat(averageConcurrentRequests: concurrency)
        )
    }

    @Test("A request for a revision at zero scales it at once, before the next tick")
    func poke() {
        var autoscaler = Autoscaler()
        autoscaler.configure(
            self.revision,
            settings: ScalingSettings(),
            pods: .init(ready: 0, replicas: 0),
            activation: self.asleep,
            at: .seconds(100)
        )

        let outcomes = autoscaler.record([self.message(1)], at: .seconds(100))
        #expect(outcomes.map(\.revision) == [self.revision])
        #expect(outcomes.first?.scale == 1)
        #expect(autoscaler.record([self.message(1)], at: .seconds(101)).count == 0)
    }

    @Test("More that wait while no pod is ready are decided on at once, and no more often than every 50 ms")
    func hurry() {
        var autoscaler = Autoscaler()
        autoscaler.configure(
            self.revision,
            settings: ScalingSettings(),
            pods: .init(ready: 0, replicas: 0),
            activation: self.asleep,
            at: .seconds(100)
        )
        let poke = autoscaler.record([self.message(1)], at: .seconds(100))
        let burst = autoscaler.record([self.message(300)], at: .milliseconds(100_010))

        #expect(poke.map(\.isPoke) == [true])
        #expect(burst.isEmpty)
        #expect(autoscaler.nextHurry == .milliseconds(100_050))
        #expect(autoscaler.tickHurried(at: .milliseconds(100_049)).isEmpty)
        // 301 in flight at a target of 70.
        #expect(autoscaler.tickHurried(at: .milliseconds(100_050)).map(\.scale) == [5])
        #expect(autoscaler.nextHurry == nil)
        #expect(autoscaler.record([self.message(300)], at: .milliseconds(100_099)).isEmpty)
        #expect(autoscaler.nextHurry == .milliseconds(100_100))
        let later = autoscaler.record([self.message(300)], at: .milliseconds(101_000))
        #expect(later.map(\.isPoke) == [false])
    }

    @Test("A revision that is to begin without pods stands at zero, and its first request wakes it")
    func zeroInitialScale() {
        var settings = ScalingSettings()
        settings.initialScale = 0
        var autoscaler = Autoscaler()
        autoscaler.configure(
            self.revision,
            settings: settings,
            pods: .init(ready: 0, replicas: 0),
            activation: Activation(phase: .activating(since: .seconds(100))),
            at: .seconds(100)
        )
        let first = autoscaler.tick(self.revision, at: .seconds(100))

        #expect(first?.verdict.phase == .inactive(since: .seconds(100)))
        #expect(first?.scale == nil)
        #expect(autoscaler.isInitialized(self.revision))
        #expect(autoscaler.record([self.message(1)], at: .seconds(101)).map(\.scale) == [1])
    }

    @Test("Reports of what is not known change nothing")
    func unknown() {
        var autoscaler = Autoscaler()

        #expect(autoscaler.record([self.message(1, "other")], at: .zero).count == 0)
        #expect(autoscaler.tick(at: .zero).count == 0)
    }

    @Test("A new revision whose pods are up and that nobody calls goes to zero after window and grace")
    func idleFromTheStart() {
        var settings = ScalingSettings()
        settings.burstCapacity = .requests(0)
        var autoscaler = Autoscaler()
        autoscaler.configure(
            self.revision,
            settings: settings,
            pods: .init(ready: 1, replicas: 1),
            activation: Activation(phase: .activating(since: .zero)),
            at: .zero
        )
        var zeroAt: Int64?
        for second in stride(from: Int64(0), through: 200, by: 2) where zeroAt == nil {
            if autoscaler.tick(at: .seconds(second)).contains(where: { $0.scale == 0 }) { zeroAt = second }
        }

        #expect(zeroAt == 90)
    }

    /// The second in which the pod goes while it reports one request of so many seconds, the rest of the time nothing.
    private func podGoes(after seconds: Int64, isProxied: Bool = false) -> Int64? {
        var settings = ScalingSettings()
        settings.burstCapacity = .requests(0)
        settings.stableWindow = .seconds(6)
        settings.scaleToZeroGrace = .seconds(2)
        var autoscaler = Autoscaler()
        autoscaler.configure(
            self.revision,
            settings: settings,
            pods: .init(ready: 1, replicas: 1),
            activation: Activation(phase: .active(since: .zero), isInitialized: true),
            at: .zero
        )
        for second in Int64(0)...200 {
            if second < seconds {
                let stat = Stat(
                    podName: "hello-00001-pod",
                    averageConcurrentRequests: 1,
                    averageProxiedConcurrentRequests: isProxied ? 1 : 0
                )
                _ = autoscaler.record([StatMessage(revision: self.revision, stat: stat)], at: .seconds(second))
            }
            guard second % 2 == 0 else { continue }
            if autoscaler.tick(at: .seconds(second)).contains(where: { $0.scale == 0 }) { return second }
        }
        return nil
    }

    @Test("A request that its pod tells of each second keeps the pod, however much longer than the window it takes")
    func longRequest() throws {
        #expect(try #require(self.podGoes(after: 100)) > 100)
    }

    @Test("What a pod tells of requests that somebody else has reported counts nothing")
    func proxiedRequest() throws {
        #expect(try #require(self.podGoes(after: 100, isProxied: true)) < 20)
    }

    @Test("A tick tells only what has to be done, and a status once")
    func quiet() {
        var autoscaler = Autoscaler()
        autoscaler.configure(
            self.revision,
            settings: ScalingSettings(),
            pods: .init(ready: 0, replicas: 0),
            activation: self.asleep,
            at: .zero
        )

        #expect(autoscaler.tick(at: .seconds(2)).map(\.isStatusNews) == [true])
        #expect(autoscaler.tick(at: .seconds(4)).count == 0)
        autoscaler.statusFailed(self.revision)
        #expect(autoscaler.tick(at: .seconds(6)).map(\.isStatusNews) == [true])
    }

    @Test("A revision that was removed is not decided about")
    func removed() {
        var autoscaler = Autoscaler()
        autoscaler.configure(
            self.revision,
            settings: ScalingSettings(),
            pods: .init(),
            activation: self.asleep,
            at: .zero
        )
        autoscaler.remove(self.revision)

        #expect(autoscaler.tick(at: .seconds(2)).count == 0)
    }
}

@Suite struct PodAutoscalerTests {
    private func object(_ status: JSONValue? = nil) -> KubernetesObject {
        var object = KubernetesObject(.podAutoscalers, namespace: "default", name: "hello-00001")
        object.json["spec"] = [
            "scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": "hello-00001-deployment"],
            "containerConcurrency": 5, "reachability": "Unreachable",
        ]
        if let status { object.json["status"] = status }
        return object
    }

    @Test("An object says which Deployment is scaled")
    func reads() throws {
        let read = try #require(PodAutoscaler(self.object()))

        #expect(read.deployment == ObjectID(namespace: "default", name: "hello-00001-deployment"))
        #expect(read.containerConcurrency == 5)
        #expect(!read.isReachable)
    }

    @Test(
        "An object says how long a request may take, a day at most; one that does not has five minutes",
        arguments: [(nil, 300), (0, 300), (-1, 300), (1, 1), (600, 600), (86_400, 86_400), (86_401, 86_400)]
    )
    func timeLimit(written: Int?, seconds: Int) {
        var object = self.object()
        if let written { object.json[path: "spec", "timeoutSeconds"] = JSONValue(written) }

        #expect(PodAutoscaler(object)?.timeLimit == .seconds(seconds))
    }

    @Test("What is no Deployment is not scaled")
    func otherTarget() {
        var object = self.object()
        object.json[path: "spec", "scaleTargetRef", "kind"] = "StatefulSet"

        #expect(PodAutoscaler(object) == nil)
    }

    @Test("After a restart a revision stands where its status says")
    func restored() throws {
        let status: JSONValue = [
            "conditions": [
                ["type": "Active", "status": "False", "lastTransitionTime": "1970-01-01T00:01:40Z"],
                ["type": "ScaleTargetInitialized", "status": "True"],
            ]
        ]
        let activation = try #require(PodAutoscaler(self.object(status))).activation(now: .seconds(500))

        #expect(activation.phase == .inactive(since: .seconds(100)))
        #expect(activation.isInitialized)
        let fresh = try #require(PodAutoscaler(self.object())).activation(now: .seconds(500))
        #expect(fresh.phase == .activating(since: .seconds(500)))
    }

    @Test("The status says what is wanted and why, and keeps the time of a condition that has not changed")
    func status() throws {
        let id = ObjectID(namespace: "default", name: "hello-00001")
        var autoscaler = Autoscaler()
        autoscaler.configure(
            id,
            settings: ScalingSettings(),
            pods: .init(ready: 0, replicas: 0),
            activation: Activation(phase: .inactive(since: .zero), isInitialized: true, proxiedSince: .zero),
            at: .seconds(100)
        )
        let decided = autoscaler.tick(id, at: .seconds(100))
        let outcome = try #require(decided)
        let first = try #require(PodAutoscaler(self.object())).status(after: outcome, isInitialized: true, now: 100)
        let second = try #require(PodAutoscaler(self.object(first))).status(
            after: outcome,
            isInitialized: true,
            now: 200
        )

        #expect(first["desiredScale"]?.int == 0)
        #expect(first["path"]?.string == "activator")
        #expect(first[path: "conditions", "0", "reason"]?.string == "NoTraffic")
        #expect(first[path: "conditions", "0", "lastTransitionTime"]?.string == "1970-01-01T00:01:40Z")
        #expect(second == first)
    }

    @Test("What a status says is read back as it was written", arguments: [false, true])
    func reported(_ isGivenUp: Bool) throws {
        let id = ObjectID(namespace: "default", name: "hello-00001")
        var autoscaler = Autoscaler()
        autoscaler.configure(
            id,
            settings: ScalingSettings(),
            pods: .init(ready: 0, replicas: 0),
            activation: Activation(
                phase: .inactive(since: .zero),
                isInitialized: true,
                proxiedSince: .zero,
                isGivenUp: isGivenUp
            ),
            at: .seconds(100)
        )
        let decided = autoscaler.tick(id, at: .seconds(100))
        let outcome = try #require(decided)
        let status = try #require(PodAutoscaler(self.object())).status(after: outcome, isInitialized: true, now: 100)
        let read = try #require(PodAutoscaler(self.object(status)))

        let expected = Autoscaler.Status(
            desired: 0,
            ready: 0,
            phase: isGivenUp ? .givenUp : .idle,
            isProxied: true,
            isInitialized: true
        )
        #expect(read.reported == expected)
        #expect(read.activation(now: .seconds(100)).isGivenUp == isGivenUp)
        #expect(try #require(PodAutoscaler(self.object())).reported == nil)
    }
}
