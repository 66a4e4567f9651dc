/// What Prometheus reads of an activator.
extension ActivatorService {
    package static let metricsType = "text/plain; version=0.0.4; charset=utf-8"

    package var metricsPage: String {
        let counts = self.counts
        let numbers = [
            ("activator_requests_waiting", "gauge", "Requests that wait for a pod.", counts.waiting),
            ("activator_requests_in_flight", "gauge", "Requests that have a place in a pod.", counts.inFlight),
            (
                "activator_clients_left_total", "counter", "Requests whose clients left while they waited.",
                counts.clientsLeft
            ),
        ]
        return numbers.reduce(into: "") { page, number in
            let (name, type, help, value) = number
            page += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name) \(value)\n"
        }
    }
}
