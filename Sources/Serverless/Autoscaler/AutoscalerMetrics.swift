internal import MeshModel

/// What Prometheus reads of the autoscaler, under the names that Knative's dashboards know.
extension AutoscalerService {
    package static let metricsType = "text/plain; version=0.0.4; charset=utf-8"

    package var metricsPage: String {
        var page = ""
        let verdicts = self.verdicts
        func gauge(
            _ name: String,
            _ help: String,
            _ value: (ScalingSettings, Autoscaler.Pods, RevisionScaler.Verdict) -> Double?
        ) {
            page += "# HELP \(name) \(help)\n# TYPE \(name) gauge\n"
            for entry in verdicts {
                guard let number = value(entry.settings, entry.pods, entry.verdict) else { continue }
                let labels = "namespace_name=\"\(entry.revision.namespace)\",revision_name=\"\(entry.revision.name)\""
                page += "\(name){\(labels)} \(DecimalText.short(number))\n"
            }
        }
        gauge("autoscaler_desired_pods", "Pods that a revision should have.") { $2.step.desired.map(Double.init) }
        gauge("autoscaler_requested_pods", "Pods that its Deployment is set to.") { _, pods, _ in
            pods.replicas.map(Double.init)
        }
        gauge("autoscaler_actual_pods", "Pods that are ready.") { _, pods, _ in Double(pods.ready) }
        gauge("autoscaler_stable_request_concurrency", "Average of the metric over the stable window.") {
            $2.decision?.stableAverage
        }
        gauge("autoscaler_panic_request_concurrency", "Average of the metric over the panic window.") {
            $2.decision?.panicAverage
        }
        gauge("autoscaler_target_concurrency_per_pod", "What one pod should have of the metric.") { settings, _, _ in
            settings.target
        }
        gauge("autoscaler_excess_burst_capacity", "Room for a burst that is left.") {
            $2.decision.map { Double($0.excessBurstCapacity) }
        }
        gauge("autoscaler_panic_mode", "1 while the revision is in panic.") {
            $2.decision.map { $0.mode == .panic ? 1 : 0 }
        }
        let counts = self.counts
        for (name, help, count) in [
            ("autoscaler_stat_messages_total", "Reports of requests that came in.", counts.messages),
            (
                "autoscaler_stat_messages_unknown_total", "Reports about revisions that do not exist.",
                counts.unknownRevisions
            ),
            ("autoscaler_pokes_total", "Revisions at zero that a request woke.", counts.pokes),
            ("autoscaler_scalings_total", "Deployments that were set to another number of pods.", counts.scalings),
            ("autoscaler_failures_total", "Writes that the API server refused, or did not answer.", counts.failures),
        ] {
            page += "# HELP \(name) \(help)\n# TYPE \(name) counter\n\(name) \(count)\n"
        }
        return page
    }
}
