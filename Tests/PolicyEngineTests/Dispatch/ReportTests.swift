import KubernetesAPI
import PolicyEngine
import Testing

/// Reports that come to nothing.
@Suite struct ReportTests {
    private let rule = policyObject("rule", "r", ["actions": [["handler": "prom", "instances": ["count"]]]])

    private func handler(_ kind: String = "COUNTER", instance: String = "count") -> KubernetesObject {
        policyObject(
            "prometheus",
            "prom",
            ["metrics": [["instance_name": .string(instance), "name": "m", "kind": .string(kind)]]]
        )
    }

    private func instance(_ value: JSONValue) -> KubernetesObject { policyObject("metric", "count", ["value": value]) }

    /// The lines of what was lost, after a report of `bags`.
    private func losses(
        _ objects: [KubernetesObject],
        after previous: [KubernetesObject]? = nil,
        _ bags: AttributeBag...
    ) async -> [String] {
        let environment = TestEnvironment()
        let before = previous.map { PolicyDispatcher.of($0, in: environment).configuration } ?? .empty

        await PolicyDispatcher.of(objects, in: environment, after: before).report(bags)

        let prefix = "lateen_policy_dropped_total"
        return environment.metrics.page(now: .zero).split(separator: "\n").filter { $0.hasPrefix("\(prefix){") }
            .map { String($0.dropFirst(prefix.count)) }
    }

    @Test("What an instance has no value for is counted for its handler")
    func instances() async {
        let objects = [self.handler(), self.instance("response.size"), self.rule]

        let lost = await self.losses(objects, request([:]), request(["response.size": .int64(1)]), request([:]))

        #expect(lost == [#"{source="prom.istio-system",reason="evaluation"} 2"#])
    }

    @Test("Of a rule that cannot be told each instance is counted")
    func rules() async {
        let actions: JSONValue = [["handler": "prom", "instances": ["count", "count"]]]
        let rule = policyObject("rule", "r", ["match": "response.size > 5", "actions": actions])

        let lost = await self.losses([self.handler(), self.instance("1"), rule], request([:]))

        #expect(lost == [#"{source="prom.istio-system",reason="evaluation"} 2"#])
    }

    @Test("What a handler with wrong settings, or one that is gone, does not take is counted")
    func handlers() async {
        let broken = policyObject("prometheus", "prom", ["metrcs": []])
        let whole = [self.handler(), self.instance("1"), self.rule]

        let failed = await self.losses([broken, self.instance("1"), self.rule], request([:]), request([:]))
        let gone = await self.losses([self.instance("1"), self.rule], after: whole, request([:]))

        #expect(failed == [#"{source="prom.istio-system",reason="handler"} 2"#])
        #expect(gone == [#"{source="prom.istio-system",reason="handler"} 1"#])
    }

    @Test("An instance that a handler has no metric for is counted", arguments: ["prometheus", "statsd"])
    func useless(_ adapter: String) async {
        let handler =
            adapter == "statsd"
            ? policyObject("statsd", "prom", ["metrics": ["other": ["type": "COUNTER"]]])
            : self.handler(instance: "other")

        let lost = await self.losses([handler, self.instance("1"), self.rule], request([:]))

        #expect(lost == [#"{source="prom.istio-system",reason="handler"} 1"#])
    }

    @Test("A value that is no number is counted for its handler", arguments: ["prometheus", "statsd"])
    func values(_ adapter: String) async {
        let handler =
            adapter == "statsd"
            ? policyObject("statsd", "prom", ["metrics": ["count": ["type": "COUNTER"]]]) : self.handler()

        let lost = await self.losses([handler, self.instance(#""many""#), self.rule], request([:]))

        #expect(lost == [#"{source="prom.istio-system",reason="value"} 1"#])
    }

    @Test("A counter does not go down, and nothing has an endless value; a gauge may be less than nothing")
    func numbers() {
        let metrics = MetricsRegistry()
        metrics.define(.init(name: "up", help: "", kind: .counter, labels: []))
        metrics.define(.init(name: "level", help: "", kind: .gauge, labels: []))

        for value in [1, -1, .infinity, .nan] {
            metrics.record("up", value, labels: [], now: .zero)
            metrics.record("level", value, labels: [], now: .zero)
        }

        let page = metrics.page(now: .zero)
        #expect(page.contains("\nup 1\n") && page.contains("\nlevel -1\n"))
        #expect(page.contains(#"{source="up",reason="value"} 3"#))
        #expect(page.contains(#"{source="level",reason="value"} 2"#))
    }
}
