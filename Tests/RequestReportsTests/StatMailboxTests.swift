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
        mailbox.post(self.message("a", 1, requests: 1), isEarly: true, at: .zero)
        mailbox.post(self.message("a", 0, requests: 2), at: .milliseconds(600))
        #expect(mailbox.takeAll() == [self.message("a", 1, requests: 3)])

        mailbox.post(self.message("a", 1), at: .zero)
        mailbox.post(self.message("a", 7), at: .milliseconds(1500))
        #expect(mailbox.takeAll() == [self.message("a", 7)])
        #expect(mailbox.droppedCount == 0)
    }

    @Test("What is told early of one second adds up, with what the second's own report has left")
    func early() {
        var mailbox = StatMailbox()
        func early(_ concurrency: Double, _ milliseconds: Int) {
            let message = self.message("a", concurrency, requests: concurrency)
            mailbox.post(message, isEarly: true, at: .milliseconds(milliseconds))
        }
        early(1, 0)
        early(4, 50)
        early(5, 150)
        #expect(mailbox.takeAll() == [self.message("a", 10, requests: 10)])

        early(1, 0)
        early(4, 50)
        mailbox.post(self.message("a", 2, requests: 3), at: .milliseconds(600))
        #expect(mailbox.takeAll() == [self.message("a", 7, requests: 8)])

        // The next second counts the same requests again, and what is told early of it leaves out those that were heard.
        mailbox.post(self.message("a", 7, requests: 7), at: .zero)
        early(3, 500)
        #expect(mailbox.takeAll() == [self.message("a", 10, requests: 10)])
        mailbox.post(self.message("a", 7, requests: 7), at: .zero)
        early(3, 500)
        mailbox.post(self.message("a", 6), at: .milliseconds(1000))
        #expect(mailbox.takeAll() == [self.message("a", 9, requests: 10)])
        #expect(mailbox.droppedCount == 0)
    }

    @Test("An older second that is given up takes nothing along of what was told early of the next")
    func earlyAcross() {
        var mailbox = StatMailbox()
        mailbox.post(self.message("a", 7, requests: 7), at: .zero)
        mailbox.post(self.message("a", 3, requests: 3), isEarly: true, at: .milliseconds(1600))
        #expect(mailbox.droppedCount == 0)
        mailbox.post(self.message("a", 6, requests: 1), at: .milliseconds(2000))
        #expect(mailbox.takeAll() == [self.message("a", 9, requests: 4)])
        #expect(mailbox.droppedCount == 1)
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

    @Test("What was told early on a connection that broke adds up with what came meanwhile")
    func earlyAgain() {
        var mailbox = StatMailbox()
        mailbox.post(self.message("a", 1, requests: 1), isEarly: true, at: .zero)
        let taken = mailbox.takeAll()
        mailbox.post(self.message("a", 4, requests: 4), isEarly: true, at: .zero)
        mailbox.post(self.message("a", 2, requests: 3), at: .zero)
        mailbox.post(self.message("a", 1, requests: 1), isEarly: true, at: .zero)
        mailbox.notSent(taken, at: .zero)

        #expect(mailbox.takeAll() == [self.message("a", 7, requests: 9)])
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
