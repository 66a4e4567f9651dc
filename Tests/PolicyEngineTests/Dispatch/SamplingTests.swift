import KubernetesAPI
import PolicyEngine
import Testing

/// Rules that report a sample.
@Suite struct SamplingTests {
    private static let objects: [KubernetesObject] = [
        policyObject(
            "prometheus",
            "prom",
            ["metrics": [["instance_name": "count", "name": "m", "kind": "COUNTER"]]]
        ),
        policyObject("metric", "count", ["value": "1"]),
        policyObject("denier", "deny", ["status": ["code": 7]]), policyObject("checknothing", "nothing", [:]),
    ]
    private static let report: JSONValue = ["handler": "prom", "instances": ["count"]]

    private func rule(_ sampling: JSONValue, _ actions: JSONValue...) -> KubernetesObject {
        let actions = actions.isEmpty ? [Self.report] : actions
        return policyObject("rule", "r", ["actions": .array(actions), "sampling": sampling])
    }

    private func dispatcher(
        _ sampling: JSONValue,
        in environment: TestEnvironment,
        after previous: PolicyConfiguration = .empty
    ) -> PolicyDispatcher {
        PolicyDispatcher.of(Self.objects + [self.rule(sampling)], in: environment, after: previous)
    }

    /// How many have been reported.
    private func count(_ environment: TestEnvironment) -> Int {
        let line = environment.metrics.page(now: .zero).split(separator: "\n").first { $0.hasPrefix("istio_m ") }
        return line.flatMap { Int($0.dropFirst("istio_m ".count)) } ?? 0
    }

    /// The numbers of the requests that are reported.
    private func reported(
        _ bags: [AttributeBag],
        _ dispatcher: PolicyDispatcher,
        _ environment: TestEnvironment
    ) async -> [Int] {
        var numbers: [Int] = []
        for (number, bag) in bags.enumerated() {
            let before = self.count(environment)
            await dispatcher.report([bag])
            if self.count(environment) > before { numbers.append(number) }
        }
        return numbers
    }

    private func traced(_ id: String) -> AttributeBag { request(["request.headers": .stringMap(["x-request-id": id])]) }

    // MARK: Random

    @Test(
        "A share of the requests without a number of their own is reported by chance",
        arguments: [
            (["numerator": 50], [4999, 5000, 0, 9999], [0, 2]),
            (["numerator": 50, "denominator": "TEN_THOUSAND"], [49, 50, 10_049], [0, 2]),
            (["numerator": 0], [0], []), (["numerator": 101], [9999, 0], [0, 1]), ([:], [0], []),
        ] as [(JSONValue, [UInt64], [Int])]
    )
    func chance(_ percent: JSONValue, _ chances: [UInt64], _ expected: [Int]) async {
        let environment = TestEnvironment()
        environment.expect(chances)
        let dispatcher = self.dispatcher(["random": ["percentSampled": percent]], in: environment)

        let bags = chances.map { _ in request([:]) }

        #expect(dispatcher.configuration.diagnoses.isEmpty)
        #expect(await self.reported(bags, dispatcher, environment) == expected)
    }

    @Test("A request with a number is reported by all rules or none, and by all that report more")
    func requestIDs() async {
        let bags = (0..<300).map { self.traced("request-\($0)") }
        func reported(_ numerator: Int64) async -> [Int] {
            let sampling: JSONValue = ["random": ["percent_sampled": ["numerator": .integer(numerator)]]]
            let environment = TestEnvironment()
            // Chance would take none of them.
            environment.expect(Array(repeating: 9999, count: bags.count))
            return await self.reported(bags, self.dispatcher(sampling, in: environment), environment)
        }
        let some = await reported(20)
        let more = await reported(60)

        #expect((30...90).contains(some.count) && (130...230).contains(more.count))
        #expect(await reported(20) == some)
        #expect(Set(some).isSubset(of: more))
    }

    @Test("With randomness of its own a rule takes no notice of numbers")
    func independent() async {
        let environment = TestEnvironment()
        environment.expect([0, 9999, 0])
        let random: JSONValue = ["percentSampled": ["numerator": 50], "useIndependentRandomness": true]
        let dispatcher = self.dispatcher(["random": random], in: environment)

        let bags = (0..<3).map { _ in self.traced("a") }

        #expect(await self.reported(bags, dispatcher, environment) == [0, 2])
    }

    @Test("Each request may have a share of its own; without one it is not reported")
    func expressions() async {
        let environment = TestEnvironment()
        environment.expect([499, 499, 499])
        let random: JSONValue = ["attributeExpression": "response.size", "percentSampled": ["numerator": 100]]
        let dispatcher = self.dispatcher(["random": random], in: environment)

        let bags = [request(["response.size": .int64(5)]), request(["response.size": .int64(4)]), request([:])]

        #expect(dispatcher.configuration.diagnoses.isEmpty)
        #expect(await self.reported(bags, dispatcher, environment) == [0])
    }

    // MARK: Rate

    @Test("Of a window all are reported up to a number, then each so many, and the next one begins anew")
    func rate() async {
        let environment = TestEnvironment()
        let limit: JSONValue = ["samplingDuration": "1s", "maxUnsampledEntries": 2, "samplingRate": 3]
        let dispatcher = self.dispatcher(["rateLimit": limit], in: environment)
        let bags = (0..<9).map { _ in request([:]) }

        #expect(await self.reported(bags, dispatcher, environment) == [0, 1, 4, 7])
        environment.advance(.milliseconds(999))
        #expect(await self.reported([request([:])], dispatcher, environment).isEmpty)
        environment.advance(.milliseconds(1))
        #expect(await self.reported(bags, dispatcher, environment) == [0, 1, 4, 7])
    }

    @Test("Without a rate nothing is reported beyond the number, and other objects do not make it begin anew")
    func noRate() async {
        let environment = TestEnvironment()
        let sampling: JSONValue = ["rate_limit": ["sampling_duration": "60s", "max_unsampled_entries": 2]]
        let before = self.dispatcher(sampling, in: environment)
        let bags = (0..<4).map { _ in request([:]) }
        #expect(await self.reported(bags, before, environment) == [0, 1])

        let after = self.dispatcher(sampling, in: environment, after: before.configuration)
        #expect(await self.reported(bags, after, environment).isEmpty)
        let other: JSONValue = ["rateLimit": ["samplingDuration": "60s", "maxUnsampledEntries": 3]]
        let changed = self.dispatcher(other, in: environment, after: after.configuration)
        #expect(await self.reported(bags, changed, environment) == [0, 1, 2])
    }

    @Test("With both strategies both must choose a request, and what chance leaves out counts for no window")
    func both() async {
        let environment = TestEnvironment()
        environment.expect([9999, 0, 0, 0])
        let sampling: JSONValue = [
            "random": ["percentSampled": ["numerator": 50]],
            "rateLimit": ["samplingDuration": "1s", "maxUnsampledEntries": 2],
        ]
        let bags = (0..<4).map { _ in request([:]) }

        #expect(await self.reported(bags, self.dispatcher(sampling, in: environment), environment) == [1, 2])
    }

    // MARK: What it is for

    @Test("A check of the same rule is never left out")
    func checks() async {
        let none: JSONValue = ["random": ["percentSampled": ["numerator": 0]]]
        let check: JSONValue = ["handler": "deny", "instances": ["nothing"]]
        let environment = TestEnvironment()
        let dispatcher = PolicyDispatcher.of(Self.objects + [self.rule(none, Self.report, check)], in: environment)

        await dispatcher.report([request([:])])

        #expect(dispatcher.configuration.diagnoses.isEmpty)
        #expect(await dispatcher.check(request([:])).status.code == .permissionDenied)
        #expect(self.count(environment) == 0)
        let trace = await dispatcher.trace(request([:]), asksOutside: false)
        let said = trace.rules.flatMap(\.actions).first { $0.phase == .report }?.unasked
        #expect(said == "a trace reports nothing, and of this rule only samples are reported")
    }

    @Test(
        "A mistake in it is told with its field",
        arguments: [
            ("5", "", "is a"), (["rnd": [:]], ".rnd", "there is no such setting"),
            (["random": [:]], ".random.percentSampled", "is missing"),
            (
                ["random": ["percentSampled": ["numerator": -1]]], ".random.percentSampled.numerator",
                "is no whole number"
            ),
            (
                ["random": ["percent_sampled": ["numerator": 1, "denominator": "MILLION"]]],
                ".random.percentSampled.denominator", "is none of HUNDRED, TEN_THOUSAND"
            ),
            (["random": ["attributeExpression": "request.path"]], ".random.attributeExpression", "is no number"),
            (["random": ["attributeExpression": "request.pth"]], ".random.attributeExpression", "request.pth"),
            (
                ["random": ["percentSampled": [:], "useIndependentRandomness": "yes"]],
                ".random.useIndependentRandomness", "not true or false"
            ),
            (["rateLimit": ["samplingRate": 1]], ".rateLimit.samplingDuration", "is missing"),
            (
                ["rateLimit": ["samplingDuration": "0s", "samplingRate": 1]], ".rateLimit.samplingDuration",
                "is no time"
            ),
            (["rateLimit": ["samplingDuration": "1s"]], ".rateLimit.samplingRate", "is missing"),
            (
                ["rateLimit": ["samplingDuration": "1s", "samplingRate": -1]], ".rateLimit.samplingRate",
                "is no whole number"
            ),
        ] as [(JSONValue, String, String)]
    )
    func mistakes(_ sampling: JSONValue, _ field: String, _ message: String) {
        let found = PolicyDispatcher.of(Self.objects + [self.rule(sampling)]).configuration.diagnoses

        #expect(found.map(\.object) == ["rule istio-system/r"])
        #expect(found.map(\.field) == ["spec.sampling\(field)"])
        #expect(found.first?.message.contains(message) == true, "\(found)")
    }

    @Test("Where there is no report there is nothing to sample, and an empty one samples nothing")
    func nothing() async {
        let check: JSONValue = ["handler": "deny", "instances": ["nothing"]]
        let half: JSONValue = ["random": ["percentSampled": ["numerator": 50]]]
        let found = PolicyDispatcher.of(Self.objects + [self.rule(half, check)]).configuration.diagnoses
        #expect(found.map(\.field) == ["spec.sampling"])

        let environment = TestEnvironment()
        let dispatcher = self.dispatcher([:], in: environment)
        #expect(dispatcher.configuration.diagnoses.isEmpty)
        #expect(await self.reported([request([:])], dispatcher, environment) == [0])
    }

    @Test("A share that names an attribute whose manifest is gone makes the rule undecided")
    func vocabulary() async {
        let manifest = policyObject("attributemanifest", "m", ["attributes": ["a.share": ["valueType": "INT64"]]])
        let rule = self.rule(["random": ["attributeExpression": "a.share"]])
        let environment = TestEnvironment()
        let before = PolicyDispatcher.of(Self.objects + [manifest, rule], in: environment)
        #expect(before.configuration.diagnoses.isEmpty)

        let after = PolicyDispatcher.of(Self.objects + [rule], in: environment, after: before.configuration)
        await after.report([request([:])])

        #expect(self.count(environment) == 0)
        #expect(environment.metrics.page(now: .zero).contains(#"{source="prom.istio-system",reason="evaluation"} 1"#))
    }
}
