import MeshPush
import Testing

@Suite("Changes gathered before they go out")
struct GatheringTests {
    private let start = ContinuousClock.now
    private var gathering = Gathering(Gathering.Debounce())

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant { self.start + .milliseconds(milliseconds) }

    @Test("Without a change nothing is due")
    func nothing() {
        var gathering = self.gathering
        #expect(gathering.due == nil)
        _ = gathering.changed(isUrgent: true, now: self.at(0))
        gathering.published(now: self.at(0))
        #expect(gathering.due == nil)
    }

    @Test("Changes are due when they pause, and soon after the first at the latest")
    func pause() {
        var gathering = self.gathering
        var isSooner = gathering.changed(isUrgent: false, now: self.at(0))
        #expect(isSooner)
        #expect(gathering.due == self.at(10))
        isSooner = gathering.changed(isUrgent: false, now: self.at(6))
        #expect(!isSooner)
        #expect(gathering.due == self.at(16))
        for moment in stride(from: 12, through: 48, by: 6) {
            _ = gathering.changed(isUrgent: false, now: self.at(moment))
        }
        #expect(gathering.due == self.at(50))
    }

    @Test("What somebody may be waiting for is due at once, and takes along what was gathered")
    func urgency() {
        var gathering = self.gathering
        _ = gathering.changed(isUrgent: false, now: self.at(0))
        let isSooner = gathering.changed(isUrgent: true, now: self.at(4))
        #expect(isSooner)
        #expect(gathering.due.map { $0 <= self.at(4) } == true)
    }

    @Test("Urgent changes that follow each other are published no more often than others")
    func rate() {
        var gathering = self.gathering
        _ = gathering.changed(isUrgent: true, now: self.at(0))
        gathering.published(now: self.at(0))
        _ = gathering.changed(isUrgent: true, now: self.at(5))
        #expect(gathering.due == self.at(15))
        for moment in stride(from: 10, through: 45, by: 5) {
            _ = gathering.changed(isUrgent: true, now: self.at(moment))
        }
        #expect(gathering.due == self.at(50))
    }
}
