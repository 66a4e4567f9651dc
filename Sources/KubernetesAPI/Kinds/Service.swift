/// A name and an address for the pods that a selector finds.
package struct Service: Codable, Hashable, Sendable {
    package struct Spec: Codable, Hashable, Sendable {
        /// `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`.
        package var type: String?
        /// `None` for a headless service.
        package var clusterIP: String?
        package var clusterIPs: [String]
        package var externalName: String?
        package var externalIPs: [String]
        package var ports: [Port]
        package var selector: [String: String]
        package var publishNotReadyAddresses: Bool
        package var sessionAffinity: String?
    }

    package struct Port: Codable, Hashable, Sendable {
        package var name: String?
        package var port: Int
        package var targetPort: IntOrString?
        package var nodePort: Int?
        /// `TCP`, `UDP` or `SCTP`.
        package var `protocol`: String?
        package var appProtocol: String?
    }

    package var metadata: ObjectMeta
    package var spec: Spec
}

/// A share of the addresses behind a service.
package struct EndpointSlice: Codable, Hashable, Sendable {
    /// The label that names the slice's service.
    package static let serviceNameLabel = "kubernetes.io/service-name"

    package struct Endpoint: Codable, Hashable, Sendable {
        package struct Conditions: Codable, Hashable, Sendable {
            package var ready: Bool?
            package var serving: Bool?
            package var terminating: Bool?
        }

        package var addresses: [String]
        package var conditions: Conditions
        package var hostname: String?
        package var nodeName: String?
        package var zone: String?
        package var targetRef: ObjectTarget?
    }

    package struct Port: Codable, Hashable, Sendable {
        package var name: String?
        package var port: Int?
        package var `protocol`: String?
        package var appProtocol: String?
    }

    package var metadata: ObjectMeta
    /// `IPv4`, `IPv6` or `FQDN`.
    package var addressType: String
    package var endpoints: [Endpoint]
    package var ports: [Port]
}

/// The object that an address or an event is about.
package struct ObjectTarget: Codable, Hashable, Sendable {
    package var apiVersion: String?
    package var kind: String?
    package var namespace: String?
    package var name: String?
    package var uid: String?
    package var fieldPath: String?
}

/// The older form of ``EndpointSlice``.
package struct Endpoints: Codable, Hashable, Sendable {
    package struct Address: Codable, Hashable, Sendable {
        package var ip: String
        package var hostname: String?
        package var nodeName: String?
        package var targetRef: ObjectTarget?
    }

    package struct Subset: Codable, Hashable, Sendable {
        package var addresses: [Address]
        package var notReadyAddresses: [Address]
        package var ports: [EndpointSlice.Port]
    }

    package var metadata: ObjectMeta
    package var subsets: [Subset]
}
