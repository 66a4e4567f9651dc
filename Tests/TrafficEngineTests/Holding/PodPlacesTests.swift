import MeshModel
import Testing
import TrafficEngine

@Suite struct PodPlacesTests {
    private func share(_ number: UInt32, weight: Double = 1) -> PodShare {
        PodShare(pod: self.pod(number), weight: weight)
    }

    private func pod(_ number: UInt32) -> RevisionPod { RevisionPod(ip: .v4(0x0A00_0000 + number)) }

    private func take(_ places: inout PodPlaces, _ choices: PodPlaces.Choices, _ count: Int) -> [PodPlaces.Place] {
        (0..<count).compactMap { _ in places.take(choices) }
    }

    @Test("Every pod gets exactly as many as it takes, and nobody a place more", arguments: [1, 2, 7, 50])
    func limit(concurrency: Int) {
        var places = PodPlaces()
        places.concurrencyMax = concurrency
        let choices = places.list([[self.share(1), self.share(2), self.share(3)]])[0]

        #expect(self.take(&places, choices, 3 * concurrency + 1).count == 3 * concurrency)
        #expect((1...3).map { places.inFlight(self.pod($0)) } == [concurrency, concurrency, concurrency])
    }

    @Test("The pod with the fewest requests is next, in turn among equals")
    func fewest() {
        var places = PodPlaces()
        let choices = places.list([[self.share(1), self.share(2), self.share(3)]])[0]

        let taken = self.take(&places, choices, 9)
        #expect((1...3).map { places.inFlight(self.pod($0)) } == [3, 3, 3])
        for place in taken where place.pod == self.pod(2) { places.giveBack(place) }
        #expect(self.take(&places, choices, 3).map(\.pod) == [self.pod(2), self.pod(2), self.pod(2)])
    }

    @Test("Without a limit there is always room, as long as there is a pod")
    func unlimited() {
        var places = PodPlaces()
        let choices = places.list([[self.share(1)], []])

        #expect(self.take(&places, choices[0], 1000).count == 1000)
        #expect(places.take(choices[1]) == nil)
        #expect(choices.map(\.isEmpty) == [false, true])
    }

    @Test("A pod of twice the weight gets two while another gets one, up to what it takes")
    func weights() {
        var places = PodPlaces()
        let choices = places.list([[self.share(1, weight: 20), self.share(2, weight: 10)]])[0]

        _ = self.take(&places, choices, 30)
        #expect([places.inFlight(self.pod(1)), places.inFlight(self.pod(2))] == [20, 10])
        places.concurrencyMax = 20
        _ = self.take(&places, choices, 10)
        #expect([places.inFlight(self.pod(1)), places.inFlight(self.pod(2))] == [20, 20])
    }

    @Test("A pod of two ways counts what comes by both")
    func shared() {
        var places = PodPlaces()
        places.concurrencyMax = 2
        let choices = places.list([[self.share(1)], [self.share(1), self.share(2)]])

        #expect(self.take(&places, choices[0], 2).count == 2)
        #expect(self.take(&places, choices[1], 9).map(\.pod) == [self.pod(2), self.pod(2)])
    }

    @Test("The preferred pod has the place if it has room and is one of the choices; else another has it")
    func preferred() {
        var places = PodPlaces()
        places.concurrencyMax = 2
        let choices = places.list([[self.share(1), self.share(2)], [self.share(3)]])

        let taken = (0..<4).compactMap { _ in places.take(choices[0], preferring: self.pod(2)) }
        #expect(taken.map(\.pod) == [self.pod(2), self.pod(2), self.pod(1), self.pod(1)])
        #expect(places.take(choices[1], preferring: self.pod(1))?.pod == self.pod(3))
        #expect(places.take(choices[1], preferring: self.pod(9))?.pod == self.pod(3))
    }

    @Test("Another place is in another pod, or there is none")
    func avoided() {
        var places = PodPlaces()
        places.concurrencyMax = 1
        let choices = places.list([[self.share(1), self.share(2)]])[0]
        let first = places.take(choices)

        let second = places.take(choices, avoiding: first)
        #expect(Set([first?.pod, second?.pod]) == [self.pod(1), self.pod(2)])
        if let first { places.giveBack(first) }
        #expect(places.take(choices, avoiding: first) == nil)
    }

    @Test("A pod that takes no connection gets nobody until it is forgiven, and keeps whom it has")
    func refused() {
        var places = PodPlaces()
        let choices = places.list([[self.share(1)]])[0]
        guard let place = places.take(choices) else {
            Issue.record("there is room")
            return
        }

        places.refused(place)
        #expect(places.take(choices) == nil)
        #expect(places.inFlight(self.pod(1)) == 1)
        places.forgiven()
        #expect(places.take(choices) != nil)
    }

    @Test("A pod that comes back has its requests still; another never gets the counts of one that has gone")
    func gone() {
        var places = PodPlaces()
        places.concurrencyMax = 2
        let choices = places.list([[self.share(1)]])[0]
        let old = self.take(&places, choices, 2)

        // Two others come while it is away.
        let others = places.list([[self.share(2), self.share(3)]])[0]
        #expect(self.take(&places, others, 9).count == 4)
        let all = places.list([[self.share(1), self.share(2), self.share(3)]])[0]
        #expect(places.take(all) == nil)
        for place in old { places.giveBack(place) }
        #expect(self.take(&places, all, 9).map(\.pod) == [self.pod(1), self.pod(1)])
    }

    @Test("Pods that come and go leave nothing behind", arguments: [0, 1, 5])
    func manyPods(requests: Int) {
        var places = PodPlaces()
        places.concurrencyMax = 3
        for number in UInt32(1)...500 {
            let choices = places.list([[self.share(number), self.share(number + 1)]])[0]
            let taken = self.take(&places, choices, requests)
            #expect(taken.count == requests)
            for place in taken { places.giveBack(place) }
        }
        _ = places.list([])

        #expect((1...501).allSatisfy { places.inFlight(self.pod($0)) == 0 })
    }

    @Test("A place that is given back twice counts once")
    func twice() {
        var places = PodPlaces()
        let choices = places.list([[self.share(1)]])[0]
        let taken = self.take(&places, choices, 1)

        for place in taken + taken { places.giveBack(place) }
        #expect(places.inFlight(self.pod(1)) == 0)
    }
}
