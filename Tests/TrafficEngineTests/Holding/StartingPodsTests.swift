import MeshModel
import Testing
import TrafficEngine

@Suite struct StartingPodsTests {
    private let pod = RevisionPod(ip: .v4(0x0A00_0001))
    private let address = NetworkAddress(ip: .v4(0x0A00_0001), port: 8080)

    private func starting() -> StartingPods {
        var pods = StartingPods()
        pods.changed(ready: [], others: [self.pod: self.address])
        return pods
    }

    @Test("A pod that starts is asked once at a time, until it takes a connection")
    func asks() {
        var pods = self.starting()
        let questions = pods.questions(at: .zero)
        #expect(questions.map(\.pod) == [self.pod] && questions.map(\.address) == [self.address])
        #expect(pods.questions(at: .zero).count == 0)

        let refused = pods.answered(questions[0], takes: false, isWanted: true, at: .milliseconds(1))
        #expect(refused == .askAgain(after: .milliseconds(2)))
        #expect(pods.answering.isEmpty)
        let taken = pods.answered(questions[0], takes: true, isWanted: true, at: .milliseconds(12))
        #expect(taken == .answering)
        #expect(pods.answering == [self.pod])
        #expect(pods.questions(at: .seconds(1)).count == 0)
    }

    @Test("The longer a pod takes, the less often it is asked", arguments: [(100, 2), (1000, 20), (60_000, 100)])
    func pauses(waited: Int, pause: Int) {
        var pods = self.starting()
        let question = pods.questions(at: .zero)[0]

        let outcome = pods.answered(question, takes: false, isWanted: true, at: .milliseconds(waited))
        #expect(outcome == .askAgain(after: .milliseconds(pause)))
    }

    @Test("When nobody waits a pod is left alone, and asked again when somebody does")
    func unwanted() {
        var pods = self.starting()
        let question = pods.questions(at: .zero)[0]

        #expect(pods.answered(question, takes: false, isWanted: false, at: .zero) == .nothing)
        #expect(pods.questions(at: .seconds(9)).map(\.pod) == [self.pod])
        // An answer to the first question is none to the second.
        #expect(pods.answered(question, takes: true, isWanted: true, at: .seconds(9)) == .nothing)
    }

    @Test("A pod that is ready, or has gone, is not asked; an answer about it counts for nothing")
    func gone() {
        var ready = self.starting()
        var gone = ready
        let question = ready.questions(at: .zero)[0]
        _ = gone.questions(at: .zero)

        ready.changed(ready: [self.pod], others: [:])
        gone.changed(ready: [], others: [:])
        #expect(ready.answered(question, takes: false, isWanted: true, at: .zero) == .nothing)
        #expect(gone.answered(question, takes: true, isWanted: true, at: .zero) == .nothing)
        #expect(ready.answering.isEmpty && gone.answering.isEmpty)
    }

    @Test("A pod that was ready and is not any more is left to Kubernetes, until another has its address")
    func wasReady() {
        var pods = self.starting()
        pods.changed(ready: [self.pod], others: [:])
        pods.changed(ready: [], others: [self.pod: self.address])
        #expect(pods.questions(at: .zero).count == 0)

        pods.changed(ready: [], others: [:])
        pods.changed(ready: [], others: [self.pod: self.address])
        #expect(pods.questions(at: .zero).count == 1)
    }

    @Test("A pod that was called ready and took no connection is asked until it takes one")
    func refused() {
        var pods = StartingPods()
        pods.changed(ready: [self.pod], others: [:])
        pods.refused(self.pod, at: self.address)
        let questions = pods.questions(at: .zero)
        #expect(questions.map(\.address) == [self.address])
        pods.refused(self.pod, at: nil)
        #expect(pods.questions(at: .zero).count == 0)
        #expect(pods.asked == [self.pod])

        let outcome = pods.answered(questions[0], takes: false, isWanted: true, at: .milliseconds(1))
        #expect(outcome != .nothing && outcome != .answering)
        #expect(pods.answered(questions[0], takes: true, isWanted: true, at: .milliseconds(20)) == .answering)
        #expect(pods.asked.isEmpty && pods.answering.isEmpty)
        #expect(pods.questions(at: .seconds(1)).count == 0)
    }

    @Test("A pod that had answered and takes no connection any more is asked again")
    func refusedAfterAnswer() {
        var pods = self.starting()
        let first = pods.questions(at: .zero)[0]
        _ = pods.answered(first, takes: true, isWanted: true, at: .zero)

        pods.refused(self.pod, at: nil)
        #expect(pods.answering.isEmpty)
        let second = pods.questions(at: .seconds(60))
        #expect(second.map(\.address) == [self.address])
        #expect(pods.answered(second[0], takes: true, isWanted: true, at: .seconds(60)) == .answering)
        #expect(pods.answering == [self.pod])
    }

    @Test("A pod that refused is forgotten when pods change, and when it is forgiven unless it is being asked")
    func refusedForgotten() {
        var changed = StartingPods()
        changed.changed(ready: [self.pod], others: [:])
        changed.refused(self.pod, at: self.address)
        var forgiven = changed
        var asked = changed
        let question = asked.questions(at: .zero)[0]

        changed.changed(ready: [self.pod], others: [:])
        forgiven.forgiven()
        asked.forgiven()
        #expect(changed.questions(at: .zero).count == 0 && forgiven.questions(at: .zero).count == 0)
        #expect(asked.asked == [self.pod])
        #expect(asked.answered(question, takes: false, isWanted: false, at: .zero) == .nothing)
        #expect(asked.asked.isEmpty)
    }

    @Test("A pod that answers is one still when others come, and another at its place is asked itself")
    func staysAnswering() {
        var pods = self.starting()
        let question = pods.questions(at: .zero)[0]
        _ = pods.answered(question, takes: true, isWanted: true, at: .zero)

        let other = RevisionPod(ip: .v4(0x0A00_0002))
        pods.changed(ready: [], others: [self.pod: self.address, other: self.address])
        #expect(pods.answering == [self.pod])
        pods.changed(ready: [], others: [self.pod: NetworkAddress(ip: .v4(0x0A00_0001), port: 9090)])
        #expect(pods.answering.isEmpty)
    }
}
