import Testing
import TrafficEngine

@Suite struct WeightedPickTests {
    private func action(_ weights: UInt32...) -> ForwardAction {
        ForwardAction(
            clusters: weights.enumerated().map {
                WeightedCluster(cluster: ClusterID(index: $0), name: "\($0)", weight: $1)
            }
        )
    }

    @Test("Shares follow the weights over the whole range of random numbers")
    func shares() {
        let action = self.action(1, 0, 3)
        var generator = SeededGenerator(seed: 1)
        var counts = [0, 0, 0]

        for _ in 0..<40_000 { counts[action.pickIndex(random: generator.next32())] += 1 }

        #expect(counts[1] == 0)
        #expect((9_500...10_500).contains(counts[0]))
    }

    @Test("Both ends of the range are covered, and one cluster needs no weight")
    func ends() {
        #expect(self.action(1, 1).pick(random: 0).name == "0")
        #expect(self.action(1, 1).pick(random: .max).name == "1")
        #expect(self.action(0).pick(random: .max).name == "0")
        #expect(self.action(.max, .max).pick(random: .max).name == "0")
    }
}
