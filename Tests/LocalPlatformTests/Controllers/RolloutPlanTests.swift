import KubernetesAPI
import LocalPlatform
import Testing

@Suite struct RolloutPlanTests {
    /// Plays a rollout to its end with pods that become available one round after they were asked for.
    private func play(
        _ plan: RolloutPlan,
        old: Int,
        steps: Int = 200
    ) -> (final: (new: Int, old: Int), fewest: Int, most: Int) {
        var new = RolloutPlan.Set(name: "new", wanted: 0, present: 0, available: 0)
        var previous = RolloutPlan.Set(name: "old", wanted: old, present: old, available: old)
        var fewest = old
        var most = old
        for _ in 0..<steps {
            let sizes = plan.step(new: new, old: [previous])
            new.available = new.present
            new.wanted = sizes["new"] ?? new.wanted
            previous.wanted = sizes["old"] ?? previous.wanted
            previous.available = min(previous.available, previous.wanted)
            previous.present = previous.wanted
            new.present = new.wanted
            fewest = min(fewest, new.available + previous.available)
            most = max(most, new.present + previous.present)
        }
        return ((new.wanted, previous.wanted), fewest, most)
    }

    @Test(
        "A rollout ends with new pods only and keeps between its two limits all the way",
        arguments: [(1, 1, 0), (4, 1, 1), (4, 2, 0), (4, 0, 1), (10, 3, 2), (3, 0, 3)]
    )
    func bounds(_ replicas: Int, _ surge: Int, _ unavailable: Int) {
        let plan = RolloutPlan(replicas: replicas, surge: surge, unavailable: unavailable)
        let played = self.play(plan, old: replicas)

        #expect(played.final == (replicas, 0))
        #expect(played.fewest >= replicas - unavailable)
        #expect(played.most <= replicas + surge)
    }

    @Test("Pods that never became available go first, and do not hold the rollout up")
    func broken() {
        let plan = RolloutPlan(replicas: 2, surge: 1, unavailable: 0)
        let sizes = plan.step(
            new: .init(name: "new", wanted: 0, present: 0, available: 0),
            old: [
                .init(name: "broken", wanted: 1, present: 1, available: 0),
                .init(name: "good", wanted: 2, present: 2, available: 2),
            ]
        )

        #expect(sizes["broken"] == 0)
        #expect(sizes["good"] == nil)
    }

    @Test("Recreate takes all old pods down before the first new one comes")
    func recreate() {
        let plan = RolloutPlan(replicas: 2, surge: 1, unavailable: 1, recreates: true)
        let new = RolloutPlan.Set(name: "new", wanted: 0, present: 0, available: 0)

        #expect(plan.step(new: new, old: [.init(name: "old", wanted: 2, present: 2, available: 2)]) == ["old": 0])
        #expect(plan.step(new: new, old: [.init(name: "old", wanted: 0, present: 1, available: 0)]) == [:])
        #expect(plan.step(new: new, old: [.init(name: "old", wanted: 0, present: 0, available: 0)]) == ["new": 2])
    }

    @Test("Percentages are of the replicas; surge rounds up, unavailable rounds down, and not both are nought")
    func percentages() throws {
        func plan(_ json: JSONValue) throws -> RolloutPlan { RolloutPlan(try json.decode(Deployment.Spec.self)) }

        let standard = try plan(["replicas": 3, "selector": [:], "template": [:]])
        #expect((standard.surge, standard.unavailable) == (1, 0))
        let none = try plan([
            "replicas": 3, "selector": [:], "template": [:],
            "strategy": ["rollingUpdate": ["maxSurge": 0, "maxUnavailable": "10%"]],
        ])
        #expect((none.surge, none.unavailable) == (0, 1))
    }

    @Test("Scaling without a change of template goes straight to the new size")
    func scale() {
        let plan = RolloutPlan(replicas: 5, surge: 2, unavailable: 1)

        #expect(plan.step(new: .init(name: "new", wanted: 2, present: 2, available: 2), old: []) == ["new": 5])
        #expect(plan.step(new: .init(name: "new", wanted: 9, present: 9, available: 9), old: []) == ["new": 5])
    }
}
