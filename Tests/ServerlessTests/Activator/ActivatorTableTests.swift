import MeshModel
import RequestReports
import Serverless
import Testing

@Suite struct ActivatorTableTests {
    private let revision = ObjectID(namespace: "default", name: "hello-00001")

    private func table(concurrency: Int = 1, lengthMax: Int = 10) -> ActivatorTable<String> {
        var table = ActivatorTable<String>(name: "activator", lengthMax: lengthMax)
        _ = table.configured(self.revision, containerConcurrency: concurrency, at: .zero)
        return table
    }

    private func arrive(
        _ table: inout ActivatorTable<String>,
        _ waiter: String,
        deadline: Duration = .seconds(60)
    ) -> (id: UInt64, arrival: ActivatorTable<String>.OnArrival?) {
        let id = table.newID()
        return (id, table.arrived(id, waiter, for: self.revision, deadline: deadline, at: .zero))
    }

    @Test("The first request is told to the autoscaler at once, the second is not")
    func first() {
        var table = self.table()

        #expect(self.arrive(&table, "a").arrival?.report?.revision == self.revision)
        #expect(self.arrive(&table, "b").arrival?.report == nil)
        #expect(table.arrived(9, "c", for: ObjectID(namespace: "x", name: "y"), deadline: .zero, at: .zero) == nil)
    }

    @Test("A request that its client gave up gets no place in a pod, and takes none")
    func left() {
        var table = self.table()
        let (gone, _) = self.arrive(&table, "gone")
        _ = self.arrive(&table, "patient")

        #expect(table.left(gone, self.revision, now: .zero) == "gone")
        #expect(table.leftCount == 1)
        #expect(table.podsChanged(self.revision, ["pod"]).map(\.waiter) == ["patient"])
        #expect(table.finished(self.revision, at: "pod", now: .zero).count == 0)
        #expect(self.arrive(&table, "next").arrival?.action == .forward(to: "pod"))
    }

    @Test("Who has been let go does not leave any more; its place is given back when it has finished")
    func letGo() {
        var table = self.table()
        let (id, _) = self.arrive(&table, "a")
        _ = self.arrive(&table, "b")
        _ = table.podsChanged(self.revision, ["pod"])

        #expect(table.left(id, self.revision, now: .zero) == nil)
        #expect(table.leftCount == 0)
        #expect(table.finished(self.revision, at: "pod", now: .zero).map(\.waiter) == ["b"])
    }

    @Test("A time that has run out, and a revision that is gone, end the wait of those concerned")
    func ends() {
        var table = self.table()
        _ = self.arrive(&table, "short", deadline: .seconds(1))
        _ = self.arrive(&table, "long")

        #expect(table.expired(at: .seconds(1)) == ["short"])
        #expect(table.removed(self.revision) == ["long"])
        #expect(table.waitingCount == 0)
        #expect(table.revisions == [])
    }

    @Test("A request may take as long as its revision says last")
    func timeLimit() {
        var table = self.table()
        #expect(table.timeLimit(of: self.revision) == .seconds(300))

        _ = table.configured(self.revision, containerConcurrency: 1, timeLimit: .seconds(20), at: .zero)
        #expect(table.timeLimit(of: self.revision) == .seconds(20))
        #expect(table.timeLimit(of: ObjectID(namespace: "x", name: "y")) == nil)
    }

    @Test("Requests that were refused or gave up are not reported as in flight")
    func meter() {
        var table = self.table(lengthMax: 1)
        let (id, _) = self.arrive(&table, "a")
        #expect(self.arrive(&table, "b").arrival?.action == .refuse)
        _ = table.left(id, self.revision, now: .zero)

        #expect(table.reports(at: .seconds(1)).map(\.stat.averageConcurrentRequests) == [0])
    }
}
