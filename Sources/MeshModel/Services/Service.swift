/// A namespaced name of an API object.
package struct ObjectID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var namespace: String
    package var name: String

    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package var description: String { "\(self.namespace)/\(self.name)" }

    package static func < (left: ObjectID, right: ObjectID) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

/// Where a fact of the mesh was said: a kind and an object, for messages to people.
package struct ObjectReference: Hashable, Sendable, CustomStringConvertible {
    /// `Service`, `ServiceEntry`, `VirtualService`, `DestinationRule`, …
    package var kind: String
    package var id: ObjectID

    package init(kind: String, id: ObjectID) {
        self.kind = kind
        self.id = id
    }

    package var description: String { "\(self.kind) \(self.id)" }
}

/// A port of a service, as clients dial it.
package struct ServicePort: Hashable, Sendable {
    package var name: String
    package var port: Port
    package var applicationProtocol: ApplicationProtocol

    package init(name: String, port: Port, applicationProtocol: ApplicationProtocol) {
        self.name = name
        self.port = port
        self.applicationProtocol = applicationProtocol
    }
}

/// How the addresses behind a service are found (ServiceEntry `resolution`).
package enum Resolution: Hashable, Sendable {
    /// Pushed to proxies endpoint by endpoint (Kubernetes services; ServiceEntry STATIC).
    case endpoints
    /// Looked up by the proxy; `roundRobin` keeps to one address of the answer at a time (DNS, DNS_ROUND_ROBIN).
    case dns(roundRobin: Bool)
    /// The address that the application dialled (NONE, and what an unset field means: facts #23).
    case originalDestination
}

/// Who may see an object (`exportTo`).
package enum Visibility: Hashable, Sendable {
    case everyone
    case namespaces(Set<String>)

    package func includes(_ namespace: String) -> Bool {
        switch self {
        case .everyone: true
        case .namespaces(let names): names.contains(namespace)
        }
    }
}

/// A destination that the mesh knows: one host of a Kubernetes Service or of a ServiceEntry.
package struct Service: Hashable, Sendable {
    /// `reviews.default.svc.cluster.local`, or the ServiceEntry's host, which may be a wildcard.
    package var host: HostName
    /// What applications dial: cluster IPs, or a ServiceEntry's addresses, which may be whole blocks. Empty: by name only.
    package var addresses: [CIDR]
    package var ports: [ServicePort]
    package var resolution: Resolution
    /// `MESH_EXTERNAL`: outside, never spoken to with mesh identities.
    package var isExternal: Bool
    /// A Kubernetes service with `clusterIP: None`: its name resolves to its endpoints.
    package var isHeadless: Bool
    package var visibility: Visibility
    /// The Kubernetes Service or ServiceEntry that says so.
    package var source: ObjectReference
    /// Seconds since 1970; the older of two objects wins a conflict.
    package var createdAt: Int64
    /// Workload labels that select the endpoints, for messages and inbound configuration.
    package var selector: [String: String]
    /// ServiceEntry `subjectAltNames`: what the peer's certificate must have when TLS is originated.
    package var subjectAltNames: [String] = []
    /// The name that this one stands for (ExternalName).
    package var alias: HostName?
    /// The addresses are the mesh's own: given to the host because its ServiceEntry names none.
    package var hasGivenAddresses = false
    /// A wildcard whose names are looked up by the proxy, each for itself: who dials an address without such a name gets
    /// nowhere (ServiceEntry with resolution DNS and no endpoints).
    package var resolvesDialledNames = false
    /// The other cluster that alone has the service; empty: ours has it.
    package var cluster = ""
    /// Its pods may all be away: callers' requests wait for one.
    package var activation: RevisionActivation?
    /// What its pods send to those of revisions they have reported to the autoscaler: it is an activator's.
    package var isReporter = false
    /// Addresses that were given to the host and are no longer answered; clients may remember them.
    package var formerAddresses: [IPAddress] = []

    package init(
        host: HostName,
        addresses: [CIDR] = [],
        ports: [ServicePort],
        resolution: Resolution = .endpoints,
        isExternal: Bool = false,
        isHeadless: Bool = false,
        visibility: Visibility = .everyone,
        source: ObjectReference,
        createdAt: Int64 = 0,
        selector: [String: String] = [:]
    ) {
        self.host = host
        self.addresses = addresses
        self.ports = ports
        self.resolution = resolution
        self.isExternal = isExternal
        self.isHeadless = isHeadless
        self.visibility = visibility
        self.source = source
        self.createdAt = createdAt
        self.selector = selector
    }

    package var namespace: String { self.source.id.namespace }
    package var isKubernetes: Bool { self.source.kind == "Service" }

    /// Whether a proxy gives each name under this wildcard an address of its own when it is looked up: where nothing but
    /// the dialled address tells what is meant.
    package var mintsAddresses: Bool {
        guard self.host.isWildcard, self.host.text != "*", self.resolution == .originalDestination,
            self.addresses.isEmpty, !self.ports.contains(where: { $0.applicationProtocol == .udp })
        else { return false }
        return self.resolvesDialledNames || self.ports.contains { $0.applicationProtocol.isToldByAddress }
    }
}

/// One address behind a service port.
package struct Endpoint: Hashable, Sendable {
    package enum Address: Hashable, Sendable {
        case ip(IPAddress)
        /// Looked up by the proxy.
        case name(HostName)
    }

    package var address: Address
    /// The port that the workload listens on.
    package var port: Port
    /// The name of the service port that it serves.
    package var servicePortName: String
    /// Labels of the workload; subsets select by them.
    package var labels: [String: String]
    package var weight: UInt32
    /// The pod or WorkloadEntry behind it.
    package var workload: ObjectID?
    package var serviceAccount: String?
    package var isReady: Bool
    /// Not ready yet, and not about to end: it may be ready any moment.
    package var isStarting = false
    /// Its proxy takes mutual TLS (label `security.istio.io/tlsMode: istio`); what automatic mutual TLS goes by
    /// (facts #66).
    package var hasMeshIdentity = false
    package var locality = Locality()
    /// Network that the address is of; empty: that of the cluster.
    package var network = ""
    /// The other cluster that it is in; empty: ours.
    package var cluster = ""

    package init(
        address: Address,
        port: Port,
        servicePortName: String,
        labels: [String: String] = [:],
        weight: UInt32 = 1,
        workload: ObjectID? = nil,
        serviceAccount: String? = nil,
        isReady: Bool = true
    ) {
        self.address = address
        self.port = port
        self.servicePortName = servicePortName
        self.labels = labels
        self.weight = weight
        self.workload = workload
        self.serviceAccount = serviceAccount
        self.isReady = isReady
    }
}

/// A pod that may have a proxy: what inbound configuration is made from.
package struct Workload: Hashable, Sendable {
    package var id: ObjectID
    package var address: IPAddress
    package var labels: [String: String]
    package var serviceAccount: String
    package var locality = Locality()
    /// It is outside the cluster: a WorkloadEntry, whose name need not be the machine's own.
    package var isMachine = false
    /// Whether the policy engine is asked about its requests; `nil`: as the mesh says.
    package var policyCheck: PolicyCheckChoice?
    /// The revision that it is a pod of, if its proxy counts the requests for that.
    package var activation: RevisionActivation?

    package init(id: ObjectID, address: IPAddress, labels: [String: String], serviceAccount: String) {
        self.id = id
        self.address = address
        self.labels = labels
        self.serviceAccount = serviceAccount
    }
}
