import MeshModel
import Testing
import TrafficEngine

@Suite struct BodyWishTests {
    private let whole = BodyWish(AuthorizationProvider.Body(bytesMax: 4))
    private let part = BodyWish(AuthorizationProvider.Body(bytesMax: 4, mayBePartial: true))

    @Test("Who must see all of a body sees it at its end", arguments: [0, 1, 4])
    func showsWhole(_ count: Int) {
        #expect(self.whole.bodyReceived(count, isWhole: false, length: nil) == .wait)
        #expect(self.whole.bodyReceived(count, isWhole: true, length: nil) == .show(count: count, isPartial: false))
    }

    @Test("A body that is too long is refused as soon as that is known")
    func refuses() {
        #expect(self.whole.bodyReceived(0, isWhole: false, length: 4) == .wait)
        #expect(self.whole.bodyReceived(0, isWhole: false, length: 5) == .refuse)
        #expect(self.whole.bodyReceived(5, isWhole: false, length: nil) == .refuse)
        #expect(self.whole.bodyReceived(5, isWhole: true, length: nil) == .refuse)
    }

    @Test("Who takes a part of it sees as much as it wants, and whether there is more")
    func showsPart() {
        #expect(self.part.bodyReceived(3, isWhole: false, length: nil) == .wait)
        #expect(self.part.bodyReceived(3, isWhole: true, length: nil) == .show(count: 3, isPartial: false))
        #expect(self.part.bodyReceived(4, isWhole: false, length: nil) == .show(count: 4, isPartial: true))
        #expect(self.part.bodyReceived(4, isWhole: false, length: 4) == .show(count: 4, isPartial: false))
        #expect(self.part.bodyReceived(4, isWhole: true, length: nil) == .show(count: 4, isPartial: false))
        #expect(self.part.bodyReceived(5, isWhole: true, length: 5) == .show(count: 4, isPartial: true))
    }

    @Test("Nobody makes the proxy hold more than its own limit")
    func limits() {
        let greedy = BodyWish(AuthorizationProvider.Body(bytesMax: .max))
        #expect(greedy.bytesMax == BodyWish.bytesLimit)
        #expect(greedy.bodyReceived(0, isWhole: false, length: BodyWish.bytesLimit + 1) == .refuse)
    }
}
