import KubernetesAPI
import Serverless
import Testing

@Suite struct ReplayTests {
    private func rows(_ text: String) throws -> [ReplayRow] { Replay.run(try ReplayReader.read(text, file: "input")) }

    private func problems(_ text: String) -> [String] {
        do {
            _ = try ReplayReader.read(text, file: "input")
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("YAML, JSON and JSON lines say the same")
    func formats() throws {
        let yaml = """
            annotations:
              autoscaling.knative.dev/target: "10"
            config: {target-burst-capacity: "0"}
            observations:
            - {t: 0, concurrency: 35, readyPods: 1}
            - t: 4
              concurrency: 5
              readyPods: 4
            """
        let json = """
            {"annotations": {"target": "10"}, "target-burst-capacity": 0,
             "observations": [{"t": 0, "concurrency": 35, "readyPods": 1}, {"t": 4, "concurrency": 5, "readyPods": 4}]}
            """
        let lines = """
            {"settings": {"target": "10"}, "config": {"target-burst-capacity": "0"}}
            {"t": 0, "concurrency": 35, "readyPods": 1}
            {"t": 4, "concurrency": 5, "ready_pods": 4}
            """
        let expected = try self.rows(yaml)

        #expect(expected.map(\.time) == [0, 2, 4])
        #expect(expected.map { $0.verdict.decision?.wanted } == [5, 5, 5])
        #expect(try self.rows(json).map(\.verdict) == expected.map(\.verdict))
        #expect(try self.rows(lines).map(\.verdict) == expected.map(\.verdict))
    }

    @Test(
        "Traffic that ends takes the revision through stable window and grace period to zero, and a poke back at once"
    )
    func toZeroAndBack() throws {
        let rows = try self.rows(
            """
            {"target": 10, "target-burst-capacity": 0}
            {"t": 0, "concurrency": 5, "readyPods": 1}
            {"t": 10, "concurrency": 0}
            {"t": 120, "concurrency": 0, "readyPods": 0}
            {"t": 131, "concurrency": 1}
            """
        )
        func row(_ time: Double) throws -> ReplayRow { try #require(rows.first { $0.time == time }) }

        #expect(try row(68).verdict.step.desired == 1)
        let idle = try row(70)
        #expect(idle.verdict.step.desired == 0 && idle.replicas == 1 && idle.verdict.step.isProxied)
        #expect(try row(98).replicas == 1)
        #expect(try row(100).replicas == 0)
        let poked = try row(131)
        #expect(poked.isPoked && poked.replicas == 1)
        #expect(rows.count { $0.isPoked } == 1)
    }

    @Test("Without observed pods the pods follow the decisions, after the time they need to start")
    func following() throws {
        let rows = try self.rows(
            "{target: 10, podStart: 3s, start: zero, observations: [{t: 0, concurrency: 7}, {t: 8, concurrency: 7}]}"
        )

        #expect(rows.map(\.readyPods) == [0, 0, 0, 1, 1, 1])
    }

    @Test("More that wait while the first pod starts are decided on with their observation")
    func burst() throws {
        let rows = try self.rows(
            """
            {"target": 10, "start": "zero", "podStart": "5s"}
            {"t": 0.5, "concurrency": 1}
            {"t": 1.1, "concurrency": 139}
            {"t": 2.5, "concurrency": 139}
            """
        )
        let poked = rows.filter(\.isPoked)

        // 1 and 139 over two seconds are 70 at a target of 7.
        #expect(poked.prefix(2).map(\.time) == [0.5, 1.1])
        #expect(poked.prefix(2).map(\.replicas) == [1, 10])
    }

    @Test("An observation stands until the next, or for its own second only")
    func gaps() throws {
        func average(_ gaps: String) throws -> Double? {
            try self.rows("{gaps: \(gaps), observations: [{t: 0, concurrency: 8}, {t: 4, concurrency: 8}]}").last?
                .verdict.decision?.stableAverage
        }

        #expect(try average("hold") == 8)
        #expect(try average("zero") == 3.2)
    }

    @Test("What a pod reports of requests through the activator is left out")
    func perPod() throws {
        let text = """
            start: running
            observations:
            - t: 0
              perPod:
              - {pod: activator, concurrency: 6}
              - {pod: a, concurrency: 4, proxied: 4}
              - {pod: b, concurrency: 3, proxied: 2}
            - {t: 1, pods: [3, 4]}
            """

        #expect(try self.rows(text).map { $0.verdict.decision?.stableAverage } == [7, 7])
    }

    @Test(
        "Wrong input is told with file, line and what was expected",
        arguments: [
            ("{t: 0]", "input:1: neither JSON nor YAML"),
            (
                "observations:\n- {t: 0, concurrency: many}",
                "input:2: 'concurrency': expected a number from 0 up, found 'many'"
            ),
            ("observations:\n- {t: 0}\n- {concurrency: 5}", "input:3: an observation without 't'"),
            ("observations:\n- {t: 4}\n- {t: 3}", "input:3: 't' is 3, before the observation above (4)"),
            ("observations:\n- {t: 0, cpu: 3}", "input:2: 'cpu' is not known in an observation"),
            ("observations: 7", "input:1: 'observations': expected a list of observations, found '7'"),
            ("target: 10", "input:1: no observations"),
            ("", "input:1: no observations"),
            (
                "annotations:\n  window: 5s\nobservations: [{t: 0}]",
                "input:2: autoscaling.knative.dev/window: \"5s\" is not allowed; expected a duration from 6s to 1h"
            ),
            ("stable-windo: 60s\nobservations: [{t: 0}]", "input:1: 'stable-windo' is not known here"),
            ("class: hpa.autoscaling.knative.dev\nobservations: [{t: 0}]", "input:1: autoscaling.knative.dev/class"),
            ("{\"t\": 0}\n{\"t\": 1, \"concurrency\": -1}", "input:2: 'concurrency': expected a number from 0 up"),
            ("{\"t\": 0}\n{\"t\": }}", "input:2: neither JSON nor YAML"),
            ("tick: 0\nobservations: [{t: 0}]", "input:1: 'tick': expected 0.1 to 3600 seconds"),
            ("until: 1e9\nobservations: [{t: 0}]", "input:1: 1000000000 seconds are more than"),
        ]
    )
    func refuses(_ text: String, _ expected: String) {
        #expect(self.problems(text).first?.hasPrefix(expected) == true, "\(self.problems(text))")
    }

    @Test("All that is wrong is told at once, up to a limit")
    func manyProblems() {
        let lines = (0..<30).map { "- {t: \($0), concurrency: x}" }.joined(separator: "\n")

        #expect(self.problems("observations:\n" + lines).count == 20)
    }

    @Test("The table has a row for each decision, with aligned columns, and the reason in words")
    func table() throws {
        let series = try ReplayReader.read(
            "{target: 10, target-burst-capacity: 0, observations: [{t: 0, concurrency: 99, readyPods: 1}]}",
            file: "input"
        )
        let lines = ReplayReport.table(Replay.run(series), settings: series.settings).split(separator: "\n")

        #expect(lines.count == 2)
        #expect(lines.first?.contains("STABLE") == true)
        #expect(
            lines.last?.contains("panic begins: 99 in flight / target 7 asks for 15 pods, at least 200% of 1 ready")
                == true
        )
    }

    @Test("The JSON has the settings as they were understood, and every decision")
    func json() throws {
        let series = try ReplayReader.read(
            "{minScale: 3, observations: [{t: 0, concurrency: 1, readyPods: 3}]}",
            file: "input"
        )
        let json = ReplayReport.json(Replay.run(series), series: series)

        #expect(json[path: "settings", "minScale"]?.int == 3)
        #expect(json[path: "decisions", "0", "desired"]?.int == 3)
        #expect(json[path: "decisions", "0", "mode"]?.string == "panic")
        #expect(json[path: "decisions", "0", "reason"]?.string?.isEmpty == false)
    }
}
