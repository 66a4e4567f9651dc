import Serverless
import Testing

@Suite struct WorkQueueTests {
    @Test("Keys are worked on in the order in which they came, each once however often it was added")
    func order() {
        var queue = WorkQueue<String>()
        for key in ["a", "b", "a", "c"] { queue.add(key) }

        #expect([queue.next(), queue.next(), queue.next(), queue.next()] == ["a", "b", "c", nil])
    }

    @Test("A key that comes again while it is at work waits until that has ended, and holds up no other")
    func atWork() {
        var queue = WorkQueue<String>()
        queue.add("a")
        #expect(queue.next() == "a")
        queue.add("a")
        queue.add("b")

        #expect(queue.next() == "b")
        #expect(queue.next() == nil)
        let isMoreAfterOther = queue.done("b")
        let isMoreAfterSame = queue.done("a")
        #expect(!isMoreAfterOther && isMoreAfterSame)
        #expect(queue.next() == "a")
    }

    @Test("Thousands of keys come out as they went in")
    func many() {
        var queue = WorkQueue<Int>()
        for key in 0..<5000 { queue.add(key) }
        var taken: [Int] = []
        while let key = queue.next() {
            taken.append(key)
            // Some come again behind all others.
            if taken.count == 1501 { queue.add(key) }
            _ = queue.done(key)
        }

        #expect(taken == Array(0..<5000) + [1500])
    }
}
