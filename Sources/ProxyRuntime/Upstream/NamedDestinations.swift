internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// Destinations of one loop's cluster that are dialled by name: looked up when a connection wants to go there.
///
/// The names are those that the proxy gave addresses to; how often servers are really asked is up to the resolver that
/// all clusters and loops share.
final class NamedDestinations {
    private let worker: Worker
    private var answers = NamedAnswers()
    /// Who waits for the first answer, by name.
    private var waiters: [String: [any ClusterWaiter]] = [:]

    init(worker: Worker) { self.worker = worker }

    /// The next address of a name; if it is not known yet, `wait`.
    func choose(_ name: String) -> NamedAnswers.Choice {
        let (choice, asks) = self.answers.choose(name, now: self.worker.wheel.now)
        if asks {
            let bound = NIOLoopBound(self, eventLoop: self.worker.loop)
            self.worker.lookups.lookUp(name, on: self.worker.loop) { answer in bound.value.answered(name, answer) }
        }
        return choice
    }

    func wait(_ waiter: any ClusterWaiter, for name: String) { self.waiters[name, default: []].append(waiter) }

    func stopWaiting(_ waiter: any ClusterWaiter, for name: String) {
        self.waiters[name]?.removeAll { $0 === waiter }
    }

    /// The cluster has gone: who waits is told, and finds nothing.
    func retire() {
        let waiters = self.waiters.values.flatMap { $0 }
        self.waiters.removeAll()
        for waiter in waiters { waiter.clusterReady() }
    }

    private func answered(_ name: String, _ answer: ResolvedName) {
        self.answers.answered(name, answer, now: self.worker.wheel.now)
        let waiters = self.waiters.removeValue(forKey: name) ?? []
        for waiter in waiters { waiter.clusterReady() }
    }
}
