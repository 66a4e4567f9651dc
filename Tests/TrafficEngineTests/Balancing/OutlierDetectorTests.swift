import MeshModel
import Testing
import TrafficEngine

@Suite struct OutlierDetectorTests {
    private func address(_ number: UInt32) -> NetworkAddress { NetworkAddress(ip: .v4(number), port: 80) }

    private func detector(_ count: UInt32, _ change: (inout OutlierPolicy) -> Void = { _ in }) -> OutlierDetector {
        var policy = OutlierPolicy()
        policy.ejectionPercentMax = 100
        change(&policy)
        var detector = OutlierDetector(policy: policy)
        detector.replace(endpoints: (0..<count).map { ClusterEndpoint(address: self.address($0)) })
        return detector
    }

    private func fail(
        _ detector: inout OutlierDetector,
        _ number: UInt32,
        times: Int,
        _ outcome: OutlierDetector.Outcome = .serverError,
        at now: Duration = .zero
    ) -> [OutlierDetector.OnEnded] {
        (0..<times).map { _ in detector.ended(self.address(number), outcome, now: now) }
    }

    @Test("Five failures in a row leave an endpoint out, four and a success do not")
    func consecutive() {
        var detector = self.detector(3)

        let four = self.fail(&detector, 0, times: 4)
        _ = detector.ended(self.address(0), .success, now: .zero)
        let more = self.fail(&detector, 0, times: 5)

        #expect(four.allSatisfy { $0 == .keep })
        #expect(more == [.keep, .keep, .keep, .keep, .eject])
        #expect(detector.isEjected(self.address(0)) && !detector.isEjected(self.address(1)))
    }

    @Test("It comes back after its time, and stays away longer when it fails again")
    func comesBack() {
        var detector = self.detector(3)
        _ = self.fail(&detector, 0, times: 5)

        let early = detector.intervalEnded(now: .seconds(29))
        let inTime = detector.intervalEnded(now: .seconds(30))
        let isBack = !detector.isEjected(self.address(0))
        _ = self.fail(&detector, 0, times: 5, at: .seconds(31))
        let earlyAgain = detector.intervalEnded(now: .seconds(90))
        let inTimeAgain = detector.intervalEnded(now: .seconds(91))

        #expect(!early && inTime && isBack)
        #expect(!earlyAgain && inTimeAgain)
    }

    @Test("One endpoint may always be left out, more only up to the share", arguments: [(10, 1), (50, 2), (0, 0)])
    func share(_ percent: Int, _ expected: Int) {
        var detector = self.detector(4) { $0.ejectionPercentMax = UInt32(percent) }

        for number in 0..<4 { _ = self.fail(&detector, UInt32(number), times: 5) }

        #expect(detector.ejectedCount == expected)
    }

    @Test("Failures of connections count as 5xx, unless they are split off")
    func split() {
        var joined = self.detector(2)
        var split = self.detector(2) {
            $0.splitsLocalOriginErrors = true
            $0.consecutiveLocalOriginFailures = 7
        }

        let five = self.fail(&joined, 0, times: 5, .localFailure)
        let six = self.fail(&split, 0, times: 6, .localFailure)
        let seventh = self.fail(&split, 0, times: 1, .localFailure)

        #expect(five.last == .eject)
        #expect(six.last == .keep && seventh == [.eject])
    }

    @Test("Gateway errors have a count of their own, which another 5xx interrupts")
    func gateway() {
        var detector = self.detector(2) {
            $0.consecutive5xx = 0
            $0.consecutiveGatewayFailures = 2
        }

        _ = self.fail(&detector, 0, times: 1, .gatewayError)
        _ = self.fail(&detector, 0, times: 1, .serverError)

        let first = self.fail(&detector, 0, times: 1, .gatewayError)
        let second = self.fail(&detector, 0, times: 1, .gatewayError)

        #expect(first == [.keep] && second == [.eject])
    }

    @Test("An endpoint that has gone does not count any more")
    func gone() {
        var detector = self.detector(2)
        _ = self.fail(&detector, 0, times: 5)

        detector.replace(endpoints: [ClusterEndpoint(address: self.address(1))])

        #expect(detector.ejectedCount == 0 && !detector.isEjected(self.address(0)))
    }
}
