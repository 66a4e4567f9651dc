/// One program of a pod.
package struct Container: Codable, Hashable, Sendable {
    package var name: String
    package var image: String
    package var imagePullPolicy: String?
    /// Replaces the image's entry point.
    package var command: [String]
    package var args: [String]
    package var workingDir: String?
    package var env: [EnvVar]
    package var envFrom: [EnvFromSource]
    package var ports: [ContainerPort]
    package var volumeMounts: [VolumeMount]
    package var readinessProbe: Probe?
    package var livenessProbe: Probe?
    package var startupProbe: Probe?
    package var securityContext: SecurityContext?
    package var resources: ResourceRequirements?
    package var stdin: Bool
    package var tty: Bool
    /// `Always` makes an init container a sidecar.
    package var restartPolicy: String?
}

package struct ContainerPort: Codable, Hashable, Sendable {
    package var name: String?
    package var containerPort: Int
    package var hostPort: Int?
    package var `protocol`: String?
}

package struct EnvVar: Codable, Hashable, Sendable {
    package struct Source: Codable, Hashable, Sendable {
        package var fieldRef: ObjectFieldSelector?
        package var configMapKeyRef: KeySelector?
        package var secretKeyRef: KeySelector?
        package var resourceFieldRef: ResourceFieldSelector?
    }

    package var name: String
    package var value: String?
    package var valueFrom: Source?
}

package struct EnvFromSource: Codable, Hashable, Sendable {
    package struct Source: Codable, Hashable, Sendable {
        package var name: String
        package var optional: Bool?
    }

    package var prefix: String?
    package var configMapRef: Source?
    package var secretRef: Source?
}

package struct ObjectFieldSelector: Codable, Hashable, Sendable {
    package var apiVersion: String?
    package var fieldPath: String
}

package struct ResourceFieldSelector: Codable, Hashable, Sendable {
    package var containerName: String?
    package var resource: String
}

package struct KeySelector: Codable, Hashable, Sendable {
    package var name: String
    package var key: String
    package var optional: Bool?
}

package struct VolumeMount: Codable, Hashable, Sendable {
    package var name: String
    package var mountPath: String
    package var subPath: String?
    package var readOnly: Bool
}

/// How the kubelet asks whether a container is well.
package struct Probe: Codable, Hashable, Sendable {
    package struct HTTPGet: Codable, Hashable, Sendable {
        package struct Header: Codable, Hashable, Sendable {
            package var name: String
            package var value: String
        }

        package var path: String?
        package var port: IntOrString
        package var host: String?
        package var scheme: String?
        package var httpHeaders: [Header]
    }

    package struct TCPSocket: Codable, Hashable, Sendable {
        package var port: IntOrString
        package var host: String?
    }

    package struct Exec: Codable, Hashable, Sendable {
        package var command: [String]
    }

    package var httpGet: HTTPGet?
    package var tcpSocket: TCPSocket?
    package var exec: Exec?
    package var initialDelaySeconds: Int?
    package var periodSeconds: Int?
    package var timeoutSeconds: Int?
    package var successThreshold: Int?
    package var failureThreshold: Int?
}

package struct SecurityContext: Codable, Hashable, Sendable {
    package struct Capabilities: Codable, Hashable, Sendable {
        package var add: [String]
        package var drop: [String]
    }

    package var runAsUser: Int?
    package var runAsGroup: Int?
    package var runAsNonRoot: Bool?
    package var privileged: Bool?
    package var readOnlyRootFilesystem: Bool?
    package var allowPrivilegeEscalation: Bool?
    package var capabilities: Capabilities?
}

package struct PodSecurityContext: Codable, Hashable, Sendable {
    package var runAsUser: Int?
    package var runAsGroup: Int?
    package var runAsNonRoot: Bool?
    package var fsGroup: Int?
}

/// Amounts as texts of the API, `100m`, `128Mi`; numbers are allowed too.
package struct ResourceRequirements: Codable, Hashable, Sendable {
    package var requests: [String: IntOrString]
    package var limits: [String: IntOrString]
}
