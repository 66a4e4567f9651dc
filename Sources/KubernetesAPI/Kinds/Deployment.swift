/// Pods kept running from a template, replaced step by step when it changes.
package struct Deployment: Codable, Hashable, Sendable {
    package struct Spec: Codable, Hashable, Sendable {
        package var replicas: Int?
        package var selector: LabelSelector
        package var template: PodTemplateSpec
        package var strategy: Strategy?
        package var minReadySeconds: Int
        package var revisionHistoryLimit: Int?
        package var paused: Bool
        package var progressDeadlineSeconds: Int?
    }

    package struct Strategy: Codable, Hashable, Sendable {
        package struct RollingUpdate: Codable, Hashable, Sendable {
            package var maxSurge: IntOrString?
            package var maxUnavailable: IntOrString?
        }

        /// `RollingUpdate` or `Recreate`.
        package var type: String?
        package var rollingUpdate: RollingUpdate?
    }

    package struct Status: Codable, Hashable, Sendable {
        package var observedGeneration: Int
        package var replicas: Int
        package var updatedReplicas: Int
        package var readyReplicas: Int
        package var availableReplicas: Int
        package var unavailableReplicas: Int
        package var conditions: [Condition]
    }

    package var metadata: ObjectMeta
    package var spec: Spec
    package var status: Status
}

/// A number of equal pods.
package struct ReplicaSet: Codable, Hashable, Sendable {
    package struct Spec: Codable, Hashable, Sendable {
        package var replicas: Int?
        package var selector: LabelSelector
        package var template: PodTemplateSpec
        package var minReadySeconds: Int
    }

    package struct Status: Codable, Hashable, Sendable {
        package var observedGeneration: Int
        package var replicas: Int
        package var readyReplicas: Int
        package var availableReplicas: Int
    }

    package var metadata: ObjectMeta
    package var spec: Spec
    package var status: Status
}
