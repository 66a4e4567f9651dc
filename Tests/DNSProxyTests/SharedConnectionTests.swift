import DNSProxy
import Testing

@Suite struct SharedConnectionTests {
    /// A connection over which questions can go.
    private static func established() -> (SharedConnection, SharedConnection.Ticket)? {
        var connection = SharedConnection()
        guard case .open(let ticket) = connection.asked(7, now: .zero) else { return nil }
        connection.established(now: .seconds(1))
        return (connection, ticket)
    }

    @Test("It is opened with the first question; others wait, and are sent at once when it is there")
    func opens() {
        var connection = SharedConnection()
        guard case .open(let first) = connection.asked(7, now: .zero) else {
            Issue.record("not opened")
            return
        }
        guard case .wait(let second) = connection.asked(7, now: .zero) else {
            Issue.record("not waiting")
            return
        }
        connection.established(now: .seconds(1))
        guard case .send(let third) = connection.asked(9, now: .seconds(1)) else {
            Issue.record("not sent")
            return
        }

        #expect([first, second, third].map(\.number) == [7, 8, 9])
        #expect(connection.waiting == [first, second, third])
        let answered = connection.received(8, now: .seconds(2))
        let unknown = connection.received(10, now: .seconds(2))
        #expect(answered == second && unknown == nil)
    }

    @Test("One that says nothing while an answer is due is given up, and what else was asked on it is lost")
    func silent() throws {
        var (connection, first) = try #require(Self.established())
        guard case .send(let second) = connection.asked(8, now: .seconds(1)) else {
            Issue.record("not sent")
            return
        }

        let onTimeout = connection.timedOut(first)
        let lost = connection.closed()

        #expect(onTimeout == .close && lost == [second] && connection.isIdle)
        guard case .open = connection.asked(8, now: .seconds(3)) else {
            Issue.record("not opened again")
            return
        }
    }

    @Test("One that has answered others meanwhile is kept: the name is slow, not the connection")
    func slow() throws {
        var (connection, first) = try #require(Self.established())
        _ = connection.asked(8, now: .seconds(1))
        _ = connection.received(8, now: .seconds(1))

        let onTimeout = connection.timedOut(first)

        #expect(onTimeout == .keep)
    }

    @Test("An answer from before a question was asked does not speak for the connection")
    func silentSince() throws {
        var (connection, first) = try #require(Self.established())
        _ = connection.received(7, now: .seconds(1))
        let onAnswer = connection.cancelled(first)
        guard case .send(let second) = connection.asked(8, now: .seconds(2)) else {
            Issue.record("not sent")
            return
        }

        let onTimeout = connection.timedOut(second)

        #expect(onAnswer == .idle && onTimeout == .close)
    }

    @Test("A question whose answer is no longer wanted tells nothing about the connection")
    func cancelled() throws {
        var (connection, first) = try #require(Self.established())
        _ = connection.asked(8, now: .seconds(1))

        let onCancel = [connection.cancelled(first), connection.cancelled(first)]

        #expect(onCancel == [.keep, .keep])
    }

    @Test("While it is being opened a question that is given up does not end it")
    func opening() {
        var connection = SharedConnection()
        guard case .open(let first) = connection.asked(7, now: .zero) else {
            Issue.record("not opened")
            return
        }

        let onTimeout = connection.timedOut(first)

        #expect(onTimeout == .idle)
    }

    @Test("A ticket of an earlier connection means nothing on the next, though the number be the same")
    func tickets() throws {
        var (connection, first) = try #require(Self.established())
        _ = connection.closed()
        guard case .open(let second) = connection.asked(first.number, now: .seconds(3)) else {
            Issue.record("not opened again")
            return
        }

        let onOld = [connection.cancelled(first), connection.timedOut(first)]

        #expect(onOld == [.keep, .keep] && connection.waiting == [second])
    }

    @Test("Questions are taken up to the limit")
    func limit() {
        var connection = SharedConnection()
        for _ in 0..<SharedConnection.questionsMax { _ = connection.asked(0, now: .zero) }

        let onNext = connection.asked(0, now: .zero)

        #expect(onNext == .refuse)
        #expect(Set(connection.waiting.map(\.number)).count == SharedConnection.questionsMax)
    }
}
