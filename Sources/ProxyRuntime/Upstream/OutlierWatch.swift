internal import TrafficEngine

/// An `OutlierDetector` with the clock of its loop.
final class OutlierWatch: TimerTarget {
    /// Called when endpoints may be used again.
    var onReturn: () -> Void = {}
    private var detector: OutlierDetector
    private let interval: Duration
    private let worker: Worker
    private var timer: TimerWheel.ID
    private var deadline: Int

    init(_ policy: OutlierPolicy, worker: Worker) {
        self.detector = OutlierDetector(policy: policy)
        self.interval = max(policy.interval, .milliseconds(100))
        self.worker = worker
        self.timer = -1
        self.deadline = Tick.after(self.interval, now: worker.wheel.now)
        self.timer = worker.wheel.add(self)
        worker.wheel.arm(self.timer, by: self.deadline)
    }

    func stop() {
        guard self.timer >= 0 else { return }
        self.worker.wheel.remove(self.timer)
        self.timer = -1
    }

    func replace(_ endpoints: [ClusterEndpoint]) { self.detector.replace(endpoints: endpoints) }

    func isEjected(_ address: NetworkAddress) -> Bool { self.detector.isEjected(address) }

    /// Takes the end of an attempt; `true`: the endpoint is left out from now on.
    func ended(_ address: NetworkAddress, _ outcome: OutlierDetector.Outcome) -> Bool {
        self.detector.ended(address, outcome, now: self.now) == .eject
    }

    func timerFired(tick: Int) -> Int? {
        guard tick >= self.deadline else { return self.deadline }
        if self.detector.intervalEnded(now: self.now) { self.onReturn() }
        self.deadline = Tick.after(self.interval, now: tick)
        return self.deadline
    }

    private var now: Duration { Tick.length * self.worker.wheel.now }
}
