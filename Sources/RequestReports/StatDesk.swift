internal import Logging
internal import NIOCore
internal import Synchronization

/// The ``StatIntake`` of a server, for all of its loops.
final class StatDesk: Sendable {
    private let intake: Mutex<StatIntake>
    private let logger: Logger
    private let start = ContinuousClock.now

    init(limits: StatIntake.Limits, logger: Logger) {
        self.intake = Mutex(StatIntake(limits: limits))
        self.logger = logger
    }

    var refusals: [StatIntake.Refusal: UInt64] { self.intake.withLock { $0.refusals } }

    func opened() -> Bool { self.intake.withLock { $0.opened() } }
    func closed(unfinished: Int) { self.intake.withLock { $0.closed(unfinished: unfinished) } }
    func received(_ count: Int, unfinished: Int) -> Bool {
        self.intake.withLock { $0.received(count, unfinished: unfinished) }
    }
    func ended(_ count: Int) { self.intake.withLock { $0.ended(count) } }

    func refused(_ refusal: StatIntake.Refusal, peer: SocketAddress?, _ reason: String = "too much at once") {
        let now = self.start.duration(to: .now)
        guard self.intake.withLock({ $0.refused(refusal, at: now) }) else { return }
        self.logger.warning(
            "stat messages refused",
            metadata: ["what": "\(refusal)", "peer": "\(peer?.description ?? "unknown")", "reason": "\(reason)"]
        )
    }
}
