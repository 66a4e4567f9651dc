import MeshModel
import RequestReports
import Testing

@Suite struct StatMailboxTests {
    private func message(_ name: String, _ concurrency: Double) -> StatMessage {
        StatMessage(
            revision: ObjectID(namespace: "default", name: name),
            stat: Stat(averageConcurrentRequests: concurrency)
        )
    }

    @Test("A minute without a connection leaves one report of each revision, the newest")
    func newest() {
        var mailbox = StatMailbox()
        for second in 1...60 { mailbox.post(self.message("a", Double(second))) }
        mailbox.post(self.message("b", 1))

        let messages = mailbox.takeAll().sorted { $0.revision < $1.revision }
        #expect(messages == [self.message("a", 60), self.message("b", 1)])
        #expect(mailbox.droppedCount == 59)
        #expect(mailbox.takeAll() == [])
    }

    @Test("What two names report of one revision does not replace each other")
    func names() {
        var mailbox = StatMailbox()
        let revision = ObjectID(namespace: "default", name: "a")
        for name in ["pod", "pod-calls", "pod"] {
            mailbox.post(StatMessage(revision: revision, stat: Stat(podName: name)))
        }

        #expect(mailbox.takeAll().map(\.stat.podName).sorted() == ["pod", "pod-calls"])
        #expect(mailbox.droppedCount == 1)
    }

    @Test("What a broken connection did not take waits again, unless there is something newer")
    func again() {
        var mailbox = StatMailbox()
        mailbox.post(self.message("a", 1))
        mailbox.post(self.message("b", 1))
        let taken = mailbox.takeAll()
        mailbox.post(self.message("b", 2))
        mailbox.notSent(taken)

        let messages = mailbox.takeAll().sorted { $0.revision < $1.revision }
        #expect(messages == [self.message("a", 1), self.message("b", 2)])
        #expect(mailbox.droppedCount == 1)
    }

    @Test("It has room for so many revisions; more are counted as dropped")
    func bounded() {
        var mailbox = StatMailbox(revisionsMax: 2)
        for name in ["a", "b", "c"] { mailbox.post(self.message(name, 1)) }
        mailbox.post(self.message("b", 2))

        #expect(mailbox.takeAll().count == 2)
        #expect(mailbox.droppedCount == 2)
    }
}
