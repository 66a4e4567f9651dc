import MeshModel
import RequestReports
import Testing

@Suite struct StatMailboxTests {
    private func message(_ name: String, _ concurrency: Double, requests: Double = 0) -> StatMessage {
        StatMessage(
            revision: ObjectID(namespace: "default", name: name),
            stat: Stat(averageConcurrentRequests: concurrency, requestCount: requests)
        )
    }

    @Test("A minute without a connection leaves one report of each revision, the newest")
    func newest() {
        var mailbox = StatMailbox()
        for second in 1...60 {
            mailbox.post(self.message("a", Double(61 - second), requests: 10), at: .seconds(second * 2))
        }
        mailbox.post(self.message("b", 1), at: .seconds(120))

        let messages = mailbox.takeAll().sorted { $0.revision < $1.revision }
        #expect(messages == [self.message("a", 1, requests: 10), self.message("b", 1)])
        #expect(mailbox.droppedCount == 59)
        #expect(mailbox.takeAll() == [])
    }

    @Test("What two names report of one revision does not replace each other")
    func names() {
        var mailbox = StatMailbox()
        let revision = ObjectID(namespace: "default", name: "a")
        for name in ["pod", "pod-calls", "pod"] {
            mailbox.post(StatMessage(revision: revision, stat: Stat(podName: name)), at: .zero)
        }

        #expect(mailbox.takeAll().map(\.stat.podName).sorted() == ["pod", "pod-calls"])
        #expect(mailbox.droppedCount == 0)
    }

    @Test("A first request that waits to be told is not taken back by the next report, which leaves it out")
    func correction() {
        var mailbox = StatMailbox()
        mailbox.post(self.message("a", 1, requests: 1), at: .zero)
        mailbox.post(self.message("a", 0, requests: 2), at: .milliseconds(600))
        #expect(mailbox.takeAll() == [self.message("a", 1, requests: 3)])

        mailbox.post(self.message("a", 1), at: .zero)
        mailbox.post(self.message("a", 7), at: .milliseconds(1500))
        #expect(mailbox.takeAll() == [self.message("a", 7)])
        #expect(mailbox.droppedCount == 0)
    }

    @Test("Of two reports in one the parts that came through an activator are of the same as the whole")
    func proxied() {
        func message(_ concurrency: Double, _ proxied: Double) -> StatMessage {
            var message = self.message("a", concurrency, requests: 2)
            message.stat.averageProxiedConcurrentRequests = proxied
            message.stat.proxiedRequestCount = 1
            return message
        }
        var mailbox = StatMailbox()
        mailbox.post(message(5, 5), at: .zero)
        mailbox.post(message(3, 1), at: .zero)

        var both = message(3, 1)
        both.stat.requestCount = 4
        both.stat.proxiedRequestCount = 2
        #expect(mailbox.takeAll() == [both])
    }

    @Test("What a broken connection did not take waits again, together with what is newer")
    func again() {
        var mailbox = StatMailbox()
        for name in ["a", "b", "c"] { mailbox.post(self.message(name, 1, requests: 1), at: .zero) }
        let taken = mailbox.takeAll()
        mailbox.post(self.message("b", 2, requests: 1), at: .zero)
        mailbox.post(self.message("c", 0), at: .zero)
        mailbox.notSent(taken, at: .zero)

        let messages = mailbox.takeAll().sorted { $0.revision < $1.revision }
        #expect(
            messages == [
                self.message("a", 1, requests: 1), self.message("b", 2, requests: 2), self.message("c", 1, requests: 1),
            ]
        )
        #expect(mailbox.droppedCount == 0)
    }

    @Test("It has room for so many revisions; more are counted as dropped")
    func bounded() {
        var mailbox = StatMailbox(revisionsMax: 2)
        for name in ["a", "b", "c"] { mailbox.post(self.message(name, 1), at: .zero) }
        mailbox.post(self.message("b", 2), at: .zero)

        let messages = mailbox.takeAll().sorted { $0.revision < $1.revision }
        #expect(messages == [self.message("a", 1), self.message("b", 2)])
        #expect(mailbox.droppedCount == 1)
    }
}
