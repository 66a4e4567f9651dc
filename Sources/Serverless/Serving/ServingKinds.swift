package import KubernetesAPI

/// The kinds of Knative that we read and write; `deploy/knative/crds.yaml` defines them.
extension ResourceType {
    package static let servingGroup = "serving.knative.dev"
    package static let autoscalingGroup = "autoscaling.internal.knative.dev"

    package static let knativeServices = ResourceType(
        group: Self.servingGroup,
        plural: "services",
        kind: "Service",
        shortNames: ["kservice", "ksvc"]
    )
    package static let revisions = ResourceType(
        group: Self.servingGroup,
        plural: "revisions",
        kind: "Revision",
        shortNames: ["rev"]
    )
    package static let podAutoscalers = ResourceType(
        group: Self.autoscalingGroup,
        version: "v1alpha1",
        plural: "podautoscalers",
        kind: "PodAutoscaler",
        shortNames: ["kpa", "pa"]
    )
}

/// Labels and annotations that tie Knative's objects together.
package enum ServingLabels {
    package static let service = "serving.knative.dev/service"
    package static let configuration = "serving.knative.dev/configuration"
    package static let configurationGeneration = "serving.knative.dev/configurationGeneration"
    package static let revision = "serving.knative.dev/revision"
    /// On revisions that some traffic goes to.
    package static let routingState = "serving.knative.dev/routingState"
    /// On Services of revisions: proxies that call them hold requests while there is no pod that can take them. On pods: their
    /// own proxies count requests, and let through no more at once than the concurrency says.
    package static let activation = "activation.lateen.dev/revision"
    package static let activationConcurrency = "activation.lateen.dev/concurrency"
    package static let activationProbe = "activation.lateen.dev/probe"
    /// Those that are not of the template.
    package static let own: Set<String> = [
        Self.service, Self.configuration, Self.configurationGeneration, Self.revision, Self.routingState,
    ]
}

/// A condition of an object's status.
package struct StatusCondition: Sendable, Hashable {
    package enum Truth: String, Sendable, Hashable { case yes = "True", no = "False", unknown = "Unknown" }

    package var type: String
    package var status: Truth
    package var reason: String?
    package var message: String?

    package init(_ type: String, _ status: Truth, reason: String? = nil, message: String? = nil) {
        self.type = type
        self.status = status
        self.reason = reason
        self.message = message
    }

    /// As JSON; the time of the last change is taken from `before` where nothing has changed.
    package func json(before: [JSONValue], now: Int64) -> JSONValue {
        var time: JSONValue = .string(KubernetesTime.text(seconds: now))
        if let old = before.first(where: { $0["type"]?.string == self.type }),
            old["status"]?.string == self.status.rawValue, let since = old["lastTransitionTime"]
        {
            time = since
        }
        var json: JSONValue = [
            "type": .string(self.type), "status": .string(self.status.rawValue), "lastTransitionTime": time,
        ]
        json["reason"] = self.reason.map(JSONValue.string)
        json["message"] = self.message.map(JSONValue.string)
        return json
    }
}
