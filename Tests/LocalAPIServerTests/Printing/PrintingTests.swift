import KubernetesAPI
import LocalAPIServer
import Testing

@Suite struct PrintingTests {
    @Test(
        "Spans of time are short",
        arguments: [
            (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m"), (10_799, "179m"), (10_800, "3h"),
            (12_000, "3h20m"), (28_800, "8h"), (172_800, "2d"), (180_000, "2d2h"), (700_000, "8d"),
            (63_072_000, "2y"), (-5, "<invalid>"),
        ]
    )
    func durations(_ seconds: Int64, _ text: String) { #expect(HumanDuration.text(seconds: seconds) == text) }

    @Test("A pod's state is summed up as kubectl users know it")
    func podStatus() {
        func summary(_ status: JSONValue, deleted: Bool = false) -> String {
            let metadata: JSONValue = deleted ? ["deletionTimestamp": "2020-01-01T00:00:00Z"] : .object([:])
            return PodSummary(
                [
                    "metadata": metadata, "spec": ["containers": [["name": "a"]], "initContainers": [["name": "i"]]],
                    "status": status,
                ]
            ).status
        }
        #expect(summary(["phase": "Pending"]) == "Pending")
        #expect(
            summary([
                "phase": "Running", "containerStatuses": [["state": ["waiting": ["reason": "CrashLoopBackOff"]]]],
            ]) == "CrashLoopBackOff"
        )
        #expect(
            summary(["phase": "Pending", "initContainerStatuses": [["state": ["running": .object([:])]]]]) == "Init:0/1"
        )
        #expect(
            summary(["phase": "Failed", "containerStatuses": [["state": ["terminated": ["exitCode": 2]]]]])
                == "ExitCode:2"
        )
        #expect(summary(["phase": "Running"], deleted: true) == "Terminating")
    }

    @Test("Printer columns follow simple paths")
    func paths() {
        let object: JSONValue = ["spec": ["ports": [["name": "tcp"]], "hosts": ["a", "b"]], "m": ["a.b/c": "x"]]
        #expect(JSONPath(".spec.ports[0].name").find(in: object) == "tcp")
        #expect(JSONPath(".spec.hosts").find(in: object) == ["a", "b"])
        #expect(JSONPath(".spec.hosts[*]").find(in: object) == "a")
        #expect(JSONPath(".m.a\\.b/c").find(in: object) == "x")
        #expect(JSONPath(".m['a\\.b/c']").find(in: object) == "x")
        #expect(JSONPath(".none").find(in: object) == nil)
        let status: JSONValue = [
            "conditions": [["type": "Active", "status": "False"], ["type": "Ready", "status": "True"]]
        ]
        #expect(JSONPath(#".conditions[?(@.type=="Ready")].status"#).find(in: status) == "True")
        #expect(JSONPath(".conditions[?(@.type == 'Active')].status").find(in: status) == "False")
        #expect(JSONPath(#".conditions[?(@.type=="None")].status"#).find(in: status) == nil)
        #expect(JSONPath(".conditions[1].type").find(in: status) == "Ready")
        for broken in ["[", "[?(@.a", ".a[?(@.b)]", "[?(@.==)]", "\\", "['"] { _ = JSONPath(broken).find(in: status) }
    }
}
