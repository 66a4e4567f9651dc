import MeshModel
import Serverless
import Testing

@Suite struct HeldAnswersTests {
    private let revision = ObjectID(namespace: "default", name: "hello-00001")

    /// Whether it is held.
    private func hold(_ waiter: String, in held: inout HeldAnswers<String>) -> (id: UInt64, isHeld: Bool) {
        let id = held.newID()
        return (id, held.hold(id, for: self.revision, waiter))
    }

    @Test("Answers are held until a pod is ready, and given at once from then on")
    func ready() {
        var held = HeldAnswers<String>(countMax: 10)
        let isHeld = [self.hold("a", in: &held).isHeld, self.hold("b", in: &held).isHeld]
        #expect(isHeld == [true, true])
        #expect(held.counts == [self.revision: 2])

        let given = held.changed(self.revision, isReady: true).sorted()
        #expect(given == ["a", "b"])
        let later = self.hold("c", in: &held)
        #expect(!later.isHeld)
        let none = held.changed(self.revision, isReady: false)
        #expect(none == [])
        let again = self.hold("d", in: &held)
        #expect(again.isHeld)
    }

    @Test("So many are held and no more; whose time is over leaves nothing behind")
    func bounded() {
        var held = HeldAnswers<String>(countMax: 1)
        let first = self.hold("a", in: &held)
        let second = self.hold("b", in: &held)
        #expect(first.isHeld && !second.isHeld)

        let released = [held.release(first.id, of: self.revision), held.release(first.id, of: self.revision)]
        #expect(released == ["a", nil])
        #expect(held.counts == [:] && held.count == 0)
        let third = self.hold("c", in: &held)
        #expect(third.isHeld)
    }
}
