import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct ReportAdapterTests {
    private func metrics(_ metric: JSONValue) -> [KubernetesObject] {
        var settings = metric
        settings["instanceName"] = "count.instance.istio-system"
        settings["labelNames"] = ["path", "code"]
        return [
            policyObject("handler", "prom", ["compiledAdapter": "prometheus", "params": ["metrics": [settings]]]),
            policyObject(
                "instance",
                "count",
                [
                    "compiledTemplate": "metric",
                    "params": [
                        "value": "response.size | 0",
                        "dimensions": ["path": #"request.path | "unknown""#, "code": "response.code | 200"],
                        "monitored_resource_type": #""UNSPECIFIED""#,
                    ],
                ]
            ),
            policyObject("rule", "r", ["actions": [["handler": "prom", "instances": ["count"]]]]),
        ]
    }

    @Test("Counters add up by their labels")
    func counters() async {
        let environment = TestEnvironment()
        let dispatcher = PolicyDispatcher.of(self.metrics(["name": "bytes", "kind": "COUNTER"]), in: environment)
        #expect(dispatcher.configuration.diagnoses.isEmpty)

        await dispatcher.report([
            request(["request.path": .string("/\"a"), "response.size": .int64(5)]),
            request(["request.path": .string("/\"a"), "response.size": .int64(7)]),
            request(["response.code": .int64(404), "response.size": .int64(1)]),
        ])

        let page = environment.metrics.page(now: .zero)
        #expect(
            page == """
                # HELP istio_bytes bytes
                # TYPE istio_bytes counter
                istio_bytes{path="/\\"a",code="200"} 12
                istio_bytes{path="unknown",code="404"} 1

                """
        )
    }

    @Test("Distributions count what is up to each bound")
    func distributions() async {
        let environment = TestEnvironment()
        let buckets: JSONValue = ["explicit_buckets": ["bounds": [1, 10]]]
        let dispatcher = PolicyDispatcher.of(
            self.metrics(["name": "size", "kind": "DISTRIBUTION", "buckets": buckets]),
            in: environment
        )
        #expect(dispatcher.configuration.diagnoses.isEmpty)

        await dispatcher.report([1, 2, 10, 11].map { request(["response.size": .int64($0)]) })

        let lines = environment.metrics.page(now: .zero).split(separator: "\n").dropFirst(2)
        #expect(
            lines.map { $0.replacing(#"path="unknown",code="200""#, with: "L") } == [
                #"istio_size_bucket{L,le="1"} 1"#, #"istio_size_bucket{L,le="10"} 3"#,
                #"istio_size_bucket{L,le="+Inf"} 4"#,
                "istio_size_sum{L} 24", "istio_size_count{L} 4",
            ]
        )
    }

    @Test("A metric has a bounded number of series, however many values its labels have")
    func bounded() async {
        let environment = TestEnvironment()
        let dispatcher = PolicyDispatcher.of(self.metrics(["name": "bytes", "kind": "COUNTER"]), in: environment)

        await dispatcher.report(
            (0...MetricsRegistry.seriesMax).map {
                request(["request.path": .string("/\($0)"), "response.size": .int64(1)])
            }
        )

        let page = environment.metrics.page(now: .zero)
        #expect(page.split(separator: "\n").count { $0.hasPrefix("istio_bytes{") } == MetricsRegistry.seriesMax)
        #expect(page.contains(#"lateen_policy_dropped_total{source="istio_bytes",reason="series"} 1"#))
    }

    @Test("Labels that are too long are cut")
    func cutsLabels() async {
        let environment = TestEnvironment()
        let dispatcher = PolicyDispatcher.of(self.metrics(["name": "bytes", "kind": "COUNTER"]), in: environment)
        let long = String(repeating: "x", count: MetricsRegistry.labelBytesMax + 1)

        await dispatcher.report([request(["request.path": .string(long), "response.size": .int64(1)])])

        #expect(environment.metrics.page(now: .zero).contains("path=\"\(long.dropLast())\""))
    }

    @Test("A metric goes with the last handler that has it")
    func removes() {
        let metrics = MetricsRegistry()
        let definition = MetricsRegistry.Definition(name: "m", help: "m", kind: .counter, labels: [])
        let first = metrics.define(definition)
        metrics.record("m", 3, labels: [], now: .zero)
        let second = metrics.define(definition)

        metrics.remove(first)
        #expect(metrics.page(now: .zero).contains("m 3"))
        metrics.remove(second)
        #expect(metrics.page(now: .zero).isEmpty)
    }

    @Test("Log entries are lines of JSON, from the level that was asked for")
    func logs() async throws {
        let environment = TestEnvironment()
        let dispatcher = PolicyDispatcher.of(
            [
                policyObject("stdio", "handler", ["severity_levels": ["loud": "WARNING"], "outputLevel": "WARNING"]),
                policyObject(
                    "logentry",
                    "access",
                    [
                        "severity": #"conditional(response.code >= 400, "loud", "info")"#, "timestamp": "request.time",
                        "variables": [
                            "path": "request.path", "took": #"response.duration | "0ms""#, "code": "response.code",
                        ],
                    ]
                ),
                policyObject(
                    "rule",
                    "r",
                    ["match": "true", "actions": [["handler": "handler.stdio", "instances": ["access.logentry"]]]]
                ),
            ],
            in: environment
        )
        #expect(dispatcher.configuration.diagnoses.isEmpty)
        let time = try #require(Timestamp("2020-01-01T00:00:00Z"))

        for code: Int64 in [200, 500] {
            await dispatcher.report([
                request([
                    "request.path": .string("/"), "response.code": .int64(code), "request.time": .timestamp(time),
                    "response.duration": .duration(.milliseconds(20)),
                ])
            ])
        }

        let line: JSONValue = [
            "level": "warning", "time": "2020-01-01T00:00:00Z", "instance": "access.logentry.istio-system", "path": "/",
            "took": "20ms", "code": 500,
        ]
        #expect(try environment.lines.map { try JSONValue.parse($0) } == [line])
    }
}
