/// How long a container that keeps ending stays down: 10 s doubled up to 5 min, as the kubelet does; the first restart
/// comes after a second. A run of ten minutes forgives all that was before.
package struct RestartBackoff: Hashable {
    package static let first: Duration = .seconds(1)
    package static let second: Duration = .seconds(10)
    package static let longest: Duration = .seconds(300)
    package static let forgivenAfter: Duration = .seconds(600)

    package private(set) var failures = 0

    package init() {}

    /// The container ended after having run for `uptime`; returns the wait before the next start.
    package mutating func ended(after uptime: Duration) -> Duration {
        if uptime >= Self.forgivenAfter { self.failures = 0 }
        self.failures += 1
        return self.delay
    }

    /// The wait that belongs to the present number of failures.
    package var delay: Duration {
        switch self.failures {
        case 0: return .zero
        case 1: return Self.first
        default:
            let doublings = min(self.failures - 2, 5)
            return min(Self.second * (1 << doublings), Self.longest)
        }
    }

    /// Kubernetes' sentence for a container that waits.
    package static func message(delay: Duration, container: String, pod: String) -> String {
        let seconds = delay.components.seconds
        let text = seconds >= 60 ? "\(seconds / 60)m\(seconds % 60)s" : "\(seconds)s"
        return "back-off \(text) restarting failed container=\(container) pod=\(pod)"
    }
}
