internal import ProxyRuntime

/// What Prometheus reads of an activator.
extension ActivatorService {
    package static let metricsType = "text/plain; version=0.0.4; charset=utf-8"

    package var metricsPage: String {
        get async {
            let statistics = await self.runtime.statistics()
            let revisions = statistics.activations.values
            let numbers = [
                (
                    "activator_requests_waiting", "gauge", "Requests that wait for a pod.",
                    revisions.reduce(0) { $0 + $1.waiting }
                ),
                (
                    "activator_requests_in_flight", "gauge", "Requests that have a place in a pod.",
                    revisions.reduce(0) { $0 + $1.inFlight }
                ),
                (
                    "activator_clients_left_total", "counter", "Requests whose clients left while they waited.",
                    revisions.reduce(statistics.activationsLeft) { $0 + $1.left }
                ),
            ]
            return numbers.reduce(into: "") { page, number in
                let (name, type, help, value) = number
                page += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name) \(value)\n"
            }
        }
    }
}
