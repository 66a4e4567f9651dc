import Foundation
import KubernetesAPI
import Logging
import MeshConfig
import MeshModel
import Synchronization

/// Gives addresses to the hosts of ServiceEntries that have none, whenever the mesh has changed.
final class AddressKeeper: Sendable {
    private struct State {
        var snapshot: MeshSnapshot?
        var report = AddressWriter.Report()
        var writes: UInt64 = 0
        var failures: UInt64 = 0
    }

    private let writer: AddressWriter
    private let logger: Logger
    private let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// How often it is looked whether a time has come or a failed write is to be tried again.
    private static let tick: Duration = .seconds(2)
    /// Names in one line of the log.
    private static let namesMax = 5

    init(client: KubernetesClient, namespace: String, options: VirtualAddressOptions, logger: Logger) {
        self.writer = AddressWriter(
            client: client,
            namespace: namespace,
            ledger: AddressLedger(ranges: options.ranges, drainTime: Int64(options.addressDrainSeconds))
        )
        self.logger = logger
        (self.signals, self.signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func update(_ snapshot: MeshSnapshot) {
        self.state.withLock { $0.snapshot = snapshot }
        self.signal.yield()
    }

    /// Runs until cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    do { try await Task.sleep(for: Self.tick) } catch { return }
                    if self.isDue { self.signal.yield() }
                }
            }
            group.addTask {
                for await _ in self.signals {
                    guard let snapshot = self.state.withLock({ $0.snapshot }) else { continue }
                    self.reported(await self.writer.settle(snapshot, now: Self.now))
                }
            }
            await group.waitForAll()
        }
    }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    private var isDue: Bool {
        let report = self.state.withLock { $0.report }
        return !report.failures.isEmpty || report.nextDeadline.map { $0 <= Self.now } ?? false
    }

    private func reported(_ report: AddressWriter.Report) {
        let last = self.state.withLock { state in
            defer {
                state.report = report
                state.writes += UInt64(report.written.count)
                state.failures += UInt64(report.failures.count)
            }
            return state.report
        }
        if !report.written.isEmpty {
            self.logger.info(
                "addresses given",
                metadata: [
                    "entries": "\(report.written.count)",
                    "first": "\(report.written.prefix(Self.namesMax).map(\.description).joined(separator: " "))",
                ]
            )
        }
        if report.failures != last.failures, let first = report.failures.first {
            self.logger.warning(
                "addresses cannot be written, trying again",
                metadata: ["count": "\(report.failures.count)", "first": "\(first)"]
            )
        }
        if report.unserved != last.unserved, !report.unserved.isEmpty {
            self.logger.error(
                "no address is left for hosts: widen --allocate-ipv4 or --allocate-ipv6",
                metadata: [
                    "count": "\(report.unserved.count)",
                    "first": "\(report.unserved.prefix(Self.namesMax).map(\.text).joined(separator: " "))",
                ]
            )
        }
    }

    /// Metrics in Prometheus' text format.
    var page: String {
        let (report, writes, failures) = self.state.withLock { ($0.report, $0.writes, $0.failures) }
        var lines = PrometheusPage.metric(
            "lateen_control_addresses_given",
            "gauge",
            "Addresses that hosts of ServiceEntries have from the ledger.",
            [("", "\(report.givenCount)")]
        )
        lines += PrometheusPage.metric(
            "lateen_control_addresses_draining",
            "gauge",
            "Addresses that nobody has and nobody may have yet.",
            [("", "\(report.releasedCount)")]
        )
        lines += PrometheusPage.metric(
            "lateen_control_addresses_missing",
            "gauge",
            "Hosts for which no address is left.",
            [("", "\(report.unserved.count)")]
        )
        lines += PrometheusPage.metric(
            "lateen_control_address_writes_total",
            "counter",
            "Writes of status.addresses.",
            [("{outcome=\"written\"}", "\(writes)"), ("{outcome=\"failed\"}", "\(failures)")]
        )
        return lines.joined(separator: "\n") + "\n"
    }
}
