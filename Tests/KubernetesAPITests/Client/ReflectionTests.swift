import KubernetesAPI
import Testing

@Suite struct ReflectionTests {
    private func object(_ version: String) -> KubernetesObject {
        KubernetesObject(json: ["metadata": ["name": "a", "resourceVersion": .string(version)]])
    }

    private func listed() -> ReflectionMachine {
        var machine = ReflectionMachine(seed: 1)
        machine.listed(resourceVersion: "5")
        return machine
    }

    @Test("It lists first, then watches from the version of the list and of each event and bookmark")
    func advances() throws {
        var machine = ReflectionMachine(seed: 1)
        #expect(machine.next == .list)
        machine.listed(resourceVersion: "5")
        #expect(machine.next == .watch(resourceVersion: "5"))
        #expect(try machine.received(.modified(self.object("6"))) == .modified(self.object("6")))
        #expect(machine.next == .watch(resourceVersion: "6"))
        #expect(try machine.received(.bookmark(resourceVersion: "9")) == nil)
        #expect(machine.next == .watch(resourceVersion: "9"))
    }

    @Test("An expired version is listed anew at once")
    func relistsWhenGone() throws {
        var machine = self.listed()
        let gone = Status(code: 410, reason: "Expired", message: "too old")
        let error = #expect(throws: KubernetesError.self) { try machine.received(.failed(gone)) }
        #expect(machine.failed(try #require(error)) < .milliseconds(5))
        #expect(machine.next == .list)
    }

    @Test("A broken connection is taken up where it broke")
    func resumes() {
        var machine = self.listed()
        _ = machine.failed(KubernetesError(code: .unreachable, message: "reset"))
        #expect(machine.next == .watch(resourceVersion: "5"))
    }

    @Test("Failures in a row wait longer and longer, up to a limit; success starts over")
    func backsOff() {
        var machine = self.listed()
        let error = KubernetesError(code: .unreachable, message: "refused")
        let waits = (0..<12).map { _ in machine.failed(error) }
        #expect(waits[0] >= .milliseconds(50) && waits[0] <= .milliseconds(100))
        #expect(waits[3] >= .milliseconds(400) && waits[3] <= .milliseconds(800))
        #expect(waits.allSatisfy { $0 <= .seconds(10) })
        #expect(waits[11] >= .seconds(5))
        machine.listed(resourceVersion: "6")
        #expect(machine.failed(error) <= .milliseconds(100))
    }

    @Test("A server that ends watches at once is not hammered; one that ends them in time is asked again at once")
    func shortWatches() {
        var machine = self.listed()
        #expect(machine.watchEnded(after: .seconds(150)) == .zero)
        #expect(machine.watchEnded(after: .milliseconds(3)) >= .milliseconds(50))
    }
}
