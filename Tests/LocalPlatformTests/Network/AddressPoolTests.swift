import LocalPlatform
import MeshModel
import Testing

@Suite struct AddressPoolTests {
    private let range: ClosedRange<UInt32> = 100...102

    @Test("A pod keeps its address, and an address just freed is given out last")
    func turns() {
        var pool = AddressPool(self.range)

        #expect(pool.allocate("a", in: self.range) == .v4(100))
        #expect(pool.allocate("a", in: self.range) == .v4(100))
        #expect(pool.allocate("b", in: self.range) == .v4(101))
        pool.release("a")
        #expect(pool.allocate("c", in: self.range) == .v4(102))
        #expect(pool.allocate("d", in: self.range) == .v4(100))
        #expect(pool.allocate("e", in: self.range) == nil)
        pool.keep(only: ["d"])
        #expect(pool.allocate("e", in: self.range) == .v4(101))
    }

    @Test("The range is that of the pods")
    func podRange() {
        var pool = AddressPool()

        #expect(pool.allocate("a")?.description == "10.213.1.0")
    }
}
