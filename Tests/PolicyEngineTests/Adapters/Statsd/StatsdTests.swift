import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct StatsdTests {
    private func instance(_ value: AttributeValue, _ dimensions: [String: AttributeValue] = [:]) -> InstanceData {
        var data = InstanceData(name: "requests", namespace: "istio-system", template: "metric")
        data.values["value"] = value
        data.maps["dimensions"] = dimensions
        return data
    }

    private func metric(
        _ kind: StatsdMetric.Kind,
        _ template: String = "n",
        rate: Double = 1
    ) throws -> StatsdMetric {
        StatsdMetric(prefix: "mesh.", name: try #require(StatsdMetric.Name(template)), kind: kind, rate: rate)
    }

    @Test(
        "A value is written as its type says",
        arguments: [
            (.counter, .int64(3), "mesh.n:3|c"), (.counter, .double(0.5), "mesh.n:0.5|c"),
            (.gauge, .int64(3), "mesh.n:3|g"), (.gauge, .int64(-3), "mesh.n:0|g\nmesh.n:-3|g"),
            (.distribution, .int64(7), "mesh.n:7|h"),
            (.distribution, .duration(.milliseconds(1500)), "mesh.n:1500|ms"), (.counter, .string("x"), nil),
        ] as [(StatsdMetric.Kind, AttributeValue, String?)]
    )
    func lines(_ kind: StatsdMetric.Kind, _ value: AttributeValue, _ line: String?) throws {
        #expect(try self.metric(kind).line(self.instance(value), luck: 0) == line)
    }

    @Test("A name has dimensions in it, which cannot end it")
    func names() throws {
        let metric = try self.metric(.counter, "{{.method}}-{{ .code }}.x")

        let line = metric.line(
            self.instance(.int64(1), ["method": .string("GET|c\nb:1"), "code": .int64(200)]),
            luck: 0
        )
        let long = metric.line(
            self.instance(.int64(1), ["method": .string(String(repeating: "m", count: 900))]),
            luck: 0
        )

        #expect(line == "mesh.GET_c_b_1-200.x:1|c")
        #expect(long?.utf8.count == 254)
    }

    @Test("A sample says how large it is; gauges are no sample")
    func samples() throws {
        let counter = try self.metric(.counter, rate: 0.25)
        let gauge = try self.metric(.gauge, rate: 0.25)

        #expect(counter.line(self.instance(.int64(1)), luck: 0.2) == "mesh.n:1|c|@0.25")
        #expect(counter.line(self.instance(.int64(1)), luck: 0.25) == nil)
        #expect(gauge.line(self.instance(.int64(1)), luck: 0.9) == "mesh.n:1|g")
    }

    @Test(
        "Templates with other things in braces are refused",
        arguments: ["{{", "{{method}}", "{{.}}", "{{.a.b}}", "{{.a"]
    )
    func templates(_ template: String) { #expect(StatsdMetric.Name(template) == nil) }

    @Test("Packets are as full as they may be, and wait in a bounded number")
    func packets() {
        var buffer = StatsdBuffer(packetBytesMax: 7)

        #expect(buffer.add("abc") == .kept)
        #expect(buffer.add("def") == .kept)
        #expect(buffer.add("g") == .packetReady)
        #expect(buffer.add("12345678") == .tooLong)
        #expect(buffer.take(all: false) == ["abc\ndef"])
        #expect(buffer.take(all: true) == ["g"])
        #expect(buffer.take(all: true).isEmpty)

        let results = (0..<StatsdBuffer.packetsMax + 2).map { _ in buffer.add("1234567") }
        #expect(results.count { $0 == .packetReady } == StatsdBuffer.packetsMax)
        #expect(results.last == .queueFull)
    }

    @Test("Settings that mean nothing are named")
    func settings() {
        let dispatcher = PolicyDispatcher.of([
            policyObject(
                "statsd",
                "s",
                [
                    "samplingRate": 0, "flushBytes": 1, "flushDuration": "1ms",
                    "metrics": [
                        "a": ["type": "COUNTER", "nameTemplate": "{{.nothing}}"], "b": ["nameTemplate": "{{b}}"],
                        "c": [:], "d": ["type": "TIMER"],
                    ],
                ]
            ), policyObject("metric", "a", ["value": "1", "dimensions": ["code": "response.code | 0"]]),
            policyObject("rule", "r", ["actions": [["handler": "s", "instances": ["a"]]]]),
        ])

        #expect(
            dispatcher.configuration.diagnoses.map(\.field).sorted() == [
                "spec.flushBytes", "spec.flushDuration", "spec.metrics[a].nameTemplate",
                "spec.metrics[b].nameTemplate", "spec.metrics[c].type", "spec.metrics[d].type", "spec.samplingRate",
            ]
        )
    }
}
