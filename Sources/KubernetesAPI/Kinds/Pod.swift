/// A group of containers that share an address.
package struct Pod: Codable, Hashable, Sendable {
    package var metadata: ObjectMeta
    package var spec: PodSpec
    package var status: PodStatus
}

package struct PodSpec: Codable, Hashable, Sendable {
    package var containers: [Container]
    package var initContainers: [Container]
    package var volumes: [Volume]
    package var serviceAccountName: String?
    package var automountServiceAccountToken: Bool?
    package var hostname: String?
    package var subdomain: String?
    package var nodeName: String?
    package var hostNetwork: Bool
    /// `Always`, `OnFailure` or `Never`.
    package var restartPolicy: String?
    package var terminationGracePeriodSeconds: Int?
    package var dnsPolicy: String?
    package var dnsConfig: PodDNSConfig?
    package var securityContext: PodSecurityContext?
    package var imagePullSecrets: [LocalObjectReference]
    package var hostAliases: [HostAlias]
}

/// What a pod's `resolv.conf` says besides what its `dnsPolicy` puts there.
package struct PodDNSConfig: Codable, Hashable, Sendable {
    package struct Option: Codable, Hashable, Sendable {
        package var name: String
        package var value: String?

        package init(name: String, value: String? = nil) {
            self.name = name
            self.value = value
        }
    }

    package var nameservers: [String]
    package var searches: [String]
    package var options: [Option]

    package init(nameservers: [String] = [], searches: [String] = [], options: [Option] = []) {
        self.nameservers = nameservers
        self.searches = searches
        self.options = options
    }
}

package struct HostAlias: Codable, Hashable, Sendable {
    package var ip: String
    package var hostnames: [String]
}

package struct PodTemplateSpec: Codable, Hashable, Sendable {
    package var metadata: ObjectMeta
    package var spec: PodSpec
}

package struct PodStatus: Codable, Hashable, Sendable {
    /// `Pending`, `Running`, `Succeeded`, `Failed`.
    package var phase: String?
    package var podIP: String?
    package var hostIP: String?
    package var startTime: String?
    package var reason: String?
    package var message: String?
    package var conditions: [Condition]
    package var containerStatuses: [ContainerStatus]
    package var initContainerStatuses: [ContainerStatus]

    package var isReady: Bool { self.conditions.contains { $0.type == "Ready" && $0.status == "True" } }
}

package struct ContainerStatus: Codable, Hashable, Sendable {
    package struct State: Codable, Hashable, Sendable {
        package struct Waiting: Codable, Hashable, Sendable {
            package var reason: String?
            package var message: String?
        }

        package struct Running: Codable, Hashable, Sendable {
            package var startedAt: String?
        }

        package struct Terminated: Codable, Hashable, Sendable {
            package var exitCode: Int
            package var signal: Int?
            package var reason: String?
            package var message: String?
            package var startedAt: String?
            package var finishedAt: String?
        }

        package var waiting: Waiting?
        package var running: Running?
        package var terminated: Terminated?
    }

    package var name: String
    package var image: String
    package var imageID: String?
    package var containerID: String?
    package var ready: Bool
    package var started: Bool?
    package var restartCount: Int
    package var state: State?
    package var lastState: State?
}
