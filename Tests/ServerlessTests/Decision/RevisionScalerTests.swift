import RequestReports
import Serverless
import Testing

@Suite struct RevisionScalerTests {
    private func asleep(_ settings: ScalingSettings = ScalingSettings()) -> RevisionScaler {
        RevisionScaler(
            settings: settings,
            activation: Activation(phase: .inactive(since: .zero), isInitialized: true, proxiedSince: .zero),
            readyPods: 0,
            at: .zero
        )
    }

    @Test("The first request to a revision at zero asks for a decision at once, the next ones do not")
    func poke() {
        var scaler = self.asleep()
        let stat = Stat(averageConcurrentRequests: 1)

        #expect(scaler.record(stat, at: .seconds(100)) == .tick)
        #expect(scaler.tick(readyPods: 0, at: .seconds(100)).step.action == .scale(to: 1))
        #expect(scaler.record(stat, at: .seconds(101)) == .wait)
    }

    @Test("While no pod is ready each report of more in flight asks for a decision; with one the tick is in time")
    func raised() {
        var scaler = self.asleep()
        #expect(scaler.record(Stat(averageConcurrentRequests: 1), at: .seconds(100)) == .tick)
        _ = scaler.tick(readyPods: 0, at: .seconds(100))
        #expect(
            scaler.record(Stat(averageConcurrentRequests: 500), at: .milliseconds(100_020))
                == .tickAt(.milliseconds(100_050))
        )
        #expect(scaler.record(Stat(averageConcurrentRequests: 500), at: .milliseconds(100_050)) == .tick)

        #expect(scaler.tick(readyPods: 0, at: .milliseconds(100_050)).step.action == .scale(to: 15))
        #expect(scaler.record(Stat(averageConcurrentRequests: 10), at: .seconds(101)) == .wait)
        _ = scaler.tick(readyPods: 15, at: .seconds(102))
        #expect(scaler.record(Stat(averageConcurrentRequests: 9000), at: .seconds(102)) == .wait)
    }

    @Test("A scaler that starts beside the last pod of a revision without traffic leaves it for a window")
    func lastPod() {
        let activation = Activation(phase: .inactive(since: .zero), isInitialized: true, proxiedSince: .zero)
        var scaler = RevisionScaler(
            settings: ScalingSettings(),
            activation: activation,
            readyPods: 1,
            at: .seconds(1000)
        )

        #expect(scaler.tick(readyPods: 1, at: .seconds(1058)).step.action == .keep)
        #expect(scaler.tick(readyPods: 1, at: .seconds(1060)).step.action == .scale(to: 0))
    }

    @Test("A report of no requests wakes nobody")
    func idleReport() {
        var scaler = self.asleep()

        #expect(scaler.record(Stat(), at: .seconds(100)) == .wait)
    }

    @Test("Requests that an activator has counted are not counted again")
    func proxied() {
        var scaler = self.asleep()
        _ = scaler.record(Stat(podName: "activator", averageConcurrentRequests: 10), at: .seconds(1))
        _ = scaler.record(
            Stat(podName: "pod", averageConcurrentRequests: 10, averageProxiedConcurrentRequests: 10),
            at: .seconds(1)
        )

        #expect(scaler.tick(readyPods: 1, at: .seconds(1)).decision?.stableAverage == 10)
    }

    @Test("Requests per second are counted where they are the metric")
    func requestsPerSecond() {
        var settings = ScalingSettings()
        settings.metric = .requestsPerSecond
        settings.target = 140
        var scaler = self.asleep(settings)
        _ = scaler.record(
            Stat(averageConcurrentRequests: 3, requestCount: 500, proxiedRequestCount: 50),
            at: .seconds(1)
        )

        let decision = scaler.tick(readyPods: 1, at: .seconds(1)).decision
        #expect(decision?.stableAverage == 450)
        #expect(decision?.wanted == 4)
    }

    @Test("Silence for a whole window is no traffic, and before the first report it is not known")
    func silence() {
        var settings = ScalingSettings()
        settings.burstCapacity = .requests(0)
        var scaler = RevisionScaler(
            settings: settings,
            activation: Activation(phase: .active(since: .zero), isInitialized: true),
            readyPods: 1,
            at: .zero
        )
        #expect(scaler.tick(readyPods: 1, at: .seconds(2)).decision == nil)
        _ = scaler.record(Stat(averageConcurrentRequests: 1), at: .seconds(3))
        #expect(scaler.tick(readyPods: 1, at: .seconds(62)).decision?.wanted == 1)

        let silent = scaler.tick(readyPods: 1, at: .seconds(64))
        #expect(silent.decision?.wanted == 0)
        #expect(silent.step.desired == 0)
    }

    @Test("A change of the window keeps what was reported, one of the metric does not")
    func configure() {
        var scaler = self.asleep()
        for second in 0..<20 as Range<Int64> {
            _ = scaler.record(Stat(averageConcurrentRequests: 20, requestCount: 5), at: .seconds(second))
        }
        var settings = ScalingSettings()
        settings.stableWindow = .seconds(10)
        scaler.configure(settings)
        #expect(scaler.tick(readyPods: 1, at: .seconds(19)).decision?.stableAverage == 20)

        settings.metric = .requestsPerSecond
        scaler.configure(settings)
        #expect(scaler.tick(readyPods: 1, at: .seconds(19)).decision?.stableAverage == 0)
    }
}
