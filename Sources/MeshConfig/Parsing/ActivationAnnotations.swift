import KubernetesAPI
import MeshModel

/// Our annotations of what belongs to a revision. Of a Service: whose pods these are, how much one takes, and whether one
/// that takes a connection takes requests. Of a pod: that its proxy counts requests, and how much it lets through.
enum ActivationAnnotations {
    private static let revision = "activation.lateen.dev/revision"
    private static let concurrency = "activation.lateen.dev/concurrency"
    private static let probe = "activation.lateen.dev/probe"
    /// Of a Service: its pods are activators, which report the requests that they pass on.
    private static let reporter = "activation.lateen.dev/reporter"

    /// `nil`: nothing is held or counted for it.
    static func activation(
        _ object: KubernetesObject,
        side: RevisionActivation.Side,
        _ findings: inout Findings
    ) -> RevisionActivation? {
        guard let name = object.annotations[self.revision], !name.isEmpty else { return nil }
        let text = object.annotations[self.concurrency] ?? "0"
        guard let concurrency = Int(text), (0...1_000_000).contains(concurrency) else {
            findings.warning(
                "metadata.annotations",
                "`\(self.concurrency)` is `\(text)`; expected a whole number from 0 (no limit) to 1000000"
            )
            return nil
        }
        let probe = object.annotations[self.probe] ?? ""
        if !["", "connect"].contains(probe) {
            findings.warning(
                "metadata.annotations",
                "`\(self.probe)` is `\(probe)`; expected `connect`, or nothing. Pods are left to Kubernetes' probes"
            )
        }
        return RevisionActivation(
            revision: ObjectID(namespace: ObjectID(object).namespace, name: name),
            concurrencyMax: concurrency,
            asksPods: side == .callers && probe == "connect",
            side: side
        )
    }

    static func isReporter(_ object: KubernetesObject, _ findings: inout Findings) -> Bool {
        let text = object.annotations[self.reporter] ?? "false"
        if !["true", "false"].contains(text) {
            findings.warning("metadata.annotations", "`\(self.reporter)` is `\(text)`; expected `true` or `false`")
        }
        return text == "true"
    }
}
