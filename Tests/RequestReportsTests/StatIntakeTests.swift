import RequestReports
import Testing

@Suite struct StatIntakeTests {
    private func intake(connections: Int = 2, unfinished: Int = 100, share: Int = 10) -> StatIntake {
        var limits = StatIntake.Limits()
        limits.connectionsMax = connections
        limits.unfinishedMax = unfinished
        limits.unfinishedShare = share
        return StatIntake(limits: limits)
    }

    @Test("As many may connect as there is room for, and one more for each that has ended")
    func connections() {
        var intake = self.intake()
        let opened = (1...3).map { _ in intake.opened() }
        #expect(opened == [true, true, false])

        intake.closed(unfinished: 0)
        let again = (1...2).map { _ in intake.opened() }
        #expect(again == [true, false])
    }

    @Test("Unfinished messages hold so much together; a small one has room whatever others do")
    func unfinished() {
        var intake = self.intake()
        _ = intake.opened()
        let most = intake.received(100, unfinished: 100)
        let tooMuch = intake.received(1, unfinished: 101)
        #expect(most && !tooMuch)
        let share = intake.received(10, unfinished: 10)
        let moreThanShare = intake.received(1, unfinished: 11)
        #expect(share && !moreThanShare)

        intake.ended(11)
        intake.closed(unfinished: 101)
        let after = intake.received(100, unfinished: 100)
        #expect(after)
    }

    @Test("All that is refused counts, and is worth a line each ten seconds for each kind")
    func refused() {
        var intake = self.intake()
        let isTold = [0, 1, 9].map { intake.refused(.frame, at: .seconds($0)) }
        #expect(isTold == [true, false, false])
        let other = intake.refused(.connection, at: .seconds(9))
        let later = intake.refused(.frame, at: .seconds(10))

        #expect(other && later)
        #expect(intake.refusals == [.frame: 4, .connection: 1])
    }
}
