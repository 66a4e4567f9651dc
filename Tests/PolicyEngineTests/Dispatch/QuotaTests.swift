import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct QuotaTests {
    private static let objects = [
        policyObject(
            "memquota",
            "handler",
            [
                "quotas": [
                    [
                        "name": "requestcount.quota.istio-system", "maxAmount": 5, "validDuration": "10s",
                        "overrides": [["dimensions": ["user": "root"], "maxAmount": 1, "validDuration": "10s"]],
                    ]
                ]
            ]
        ),
        policyObject("quota", "requestcount", ["dimensions": ["user": #"source.principal | "nobody""#]]),
        policyObject(
            "rule",
            "r",
            ["actions": [["handler": "handler.memquota", "instances": ["requestcount.quota"]]]]
        ),
    ]

    @Test("Quota is granted up to its limit, by dimensions, and again when its time is over")
    func limits() async {
        let environment = TestEnvironment()
        let dispatcher = PolicyDispatcher.of(Self.objects, in: environment)
        #expect(dispatcher.configuration.diagnoses.isEmpty)
        let bag = request([:])

        var granted: [Int64] = []
        for amount: Int64 in [3, 3, 2] {
            granted.append(await dispatcher.quota("requestcount", QuotaRequest(amount: amount), bag).amount)
        }
        let other = await dispatcher.quota(
            "RequestCount",
            QuotaRequest(amount: 4, bestEffort: true),
            request(["source.principal": .string("root")])
        )
        environment.advance(.seconds(11))
        let later = await dispatcher.quota("requestcount", QuotaRequest(amount: 5), bag)

        #expect(granted == [3, 0, 2])
        #expect(other.amount == 1)
        #expect(later.amount == 5)
        #expect(later.validDuration == .seconds(10))
    }

    @Test("A quota that nobody has set is granted")
    func unknown() async {
        let answer = await PolicyDispatcher.of(Self.objects).quota("other", QuotaRequest(amount: 7), request([:]))

        #expect(answer.status.isOK)
        #expect(answer.amount == 7)
    }

    @Test("A repeated attempt is not charged again")
    func repeats() async {
        let dispatcher = PolicyDispatcher.of(Self.objects)
        let attempt = QuotaRequest(amount: 3, deduplicationID: "a")

        let first = await dispatcher.quota("requestcount", attempt, request([:]))
        let second = await dispatcher.quota("requestcount", attempt, request([:]))
        let rest = await dispatcher.quota("requestcount", QuotaRequest(amount: 9, bestEffort: true), request([:]))

        #expect(first.amount == 3)
        #expect(second == first)
        #expect(rest.amount == 2)
    }

    @Test("A denier grants nothing")
    func denier() async {
        let dispatcher = PolicyDispatcher.of([
            policyObject("denier", "deny", ["status": ["code": 8, "message": "no"]]), Self.objects[1],
            policyObject("rule", "r", ["actions": [["handler": "deny", "instances": ["requestcount"]]]]),
        ])

        let answer = await dispatcher.quota("requestcount", QuotaRequest(amount: 1), request([:]))

        #expect(answer.amount == 0)
        #expect(answer.status == PolicyStatus(.resourceExhausted, "deny.istio-system:no"))
    }

    @Test("What is taken is kept when the configuration changes elsewhere")
    func goesOn() async {
        let environment = TestEnvironment()
        let before = PolicyDispatcher.of(Self.objects, in: environment)
        _ = await before.quota("requestcount", QuotaRequest(amount: 5), request([:]))

        let after = PolicyDispatcher.of(
            Self.objects + [policyObject("noop", "n", [:])],
            in: environment,
            after: before.configuration
        )

        #expect(await after.quota("requestcount", QuotaRequest(amount: 1), request([:])).amount == 0)
    }
}
