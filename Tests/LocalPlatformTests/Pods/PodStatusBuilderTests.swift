import KubernetesAPI
import LocalPlatform
import Testing

@Suite struct PodStatusBuilderTests {
    private func record(
        _ name: String,
        _ role: ContainerRecord.Role,
        _ state: ContainerRecord.State? = nil
    ) throws
        -> ContainerRecord
    {
        let json: JSONValue = ["name": .string(name), "image": "web"]
        var record = ContainerRecord(try json.decode(Container.self), role: role)
        if let state { record.state = state }
        if record.isRunning {
            record.hasStarted = true
            record.isReady = true
        }
        return record
    }

    private func end(_ code: Int32) -> ContainerRecord.State {
        .terminated(.init(.exited(code), started: 1, finished: 2))
    }

    private func builder(
        _ initial: [ContainerRecord],
        _ main: [ContainerRecord],
        policy: String = "Always"
    )
        -> PodStatusBuilder
    {
        PodStatusBuilder(
            restartPolicy: policy,
            startTime: 0,
            address: "10.213.1.1",
            initializers: initial,
            containers: main,
            isBeingDeleted: false
        )
    }

    @Test("While init containers run the pod is pending and the others wait for them")
    func initializing() throws {
        let builder = self.builder([try self.record("init", .initializer)], [try self.record("web", .main)])
        let status = builder.status(previous: .null, now: 5)

        #expect(status["phase"] == "Pending")
        #expect(status[path: "containerStatuses", "0", "state", "waiting", "reason"] == "PodInitializing")
        #expect(status["conditions"]?.array?.first { $0["type"] == "Initialized" }?["status"] == "False")
    }

    @Test("A pod is ready when all of its containers are")
    func ready() throws {
        var web = try self.record("web", .main, .running(since: 3))
        let done = try self.record("init", .initializer, self.end(0))

        #expect(self.builder([done], [web]).isReady)
        web.isReady = false
        let status = self.builder([done], [web]).status(previous: .null, now: 5)
        #expect(status["phase"] == "Running")
        let ready = status["conditions"]?.array?.first { $0["type"] == "Ready" }
        #expect(ready?["reason"] == "ContainersNotReady")
        #expect(ready?["message"] == "containers with unready status: [web]")
    }

    @Test(
        "The restart policy decides whether ended containers end the pod",
        arguments: [
            ("Always", Int32(0), "Running"), ("OnFailure", 0, "Succeeded"), ("OnFailure", 1, "Running"),
            ("Never", 0, "Succeeded"), ("Never", 1, "Failed"),
        ]
    )
    func phases(_ policy: String, _ code: Int32, _ phase: String) throws {
        let web = try self.record("web", .main, self.end(code))

        #expect(self.builder([], [web], policy: policy).phase == phase)
    }

    @Test("A failed init container ends a pod that never restarts")
    func failedInit() throws {
        let builder = self.builder(
            [try self.record("init", .initializer, self.end(3))],
            [try self.record("web", .main)],
            policy: "Never"
        )

        #expect(builder.phase == "Failed")
    }

    @Test("The time of a condition stays while the condition does")
    func times() throws {
        let builder = self.builder([], [try self.record("web", .main, .running(since: 3))])
        let first = builder.status(previous: .null, now: 100)
        let second = builder.status(previous: first, now: 200)

        #expect(first == second)
    }

    @Test("What ran under an earlier daemon counts as ended, and its restarts go on from there")
    func restore() throws {
        var record = try self.record("web", .main)
        let status: JSONValue = [
            "name": "web", "image": "web", "ready": true, "restartCount": 2,
            "state": ["running": ["startedAt": "1970-01-01T00:00:10Z"]],
        ]

        record.restore(try status.decode(), now: 50)

        #expect(record.restarts == 2)
        #expect(record.termination?.code == 137)
        #expect(record.termination?.started == 10)
    }
}
