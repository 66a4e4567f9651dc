import KubernetesAPI
import LocalPlatform
import Testing

@Suite struct ProbeStateTests {
    private func probe(_ json: JSONValue) throws -> ProbeState { ProbeState(try json.decode(Probe.self)) }

    @Test("Three failures in a row turn a verdict, a success between them starts the count anew")
    func failures() throws {
        var state = try self.probe([:])

        #expect(state.answered(isGood: true) == .becameGood)
        #expect(state.answered(isGood: false) == .nothing)
        #expect(state.answered(isGood: false) == .nothing)
        #expect(state.answered(isGood: true) == .nothing)
        #expect(state.answered(isGood: false) == .nothing)
        #expect(state.answered(isGood: false) == .nothing)
        #expect(state.answered(isGood: false) == .becameBad)
        #expect(state.answered(isGood: false) == .nothing)
    }

    @Test("As many successes as the threshold says are needed")
    func successes() throws {
        var state = try self.probe(["successThreshold": 2, "failureThreshold": 1])

        #expect(state.answered(isGood: true) == .nothing)
        #expect(state.answered(isGood: true) == .becameGood)
        #expect(state.answered(isGood: false) == .becameBad)
    }
}
