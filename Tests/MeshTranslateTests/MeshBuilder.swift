import MeshModel
import MeshTranslate

/// Writes a mesh down in a few lines; objects are younger the later they are declared.
struct MeshBuilder {
    private(set) var snapshot = MeshSnapshot(revision: 1)
    private var clock: Int64 = 0

    init(policy: MeshSettings.OutboundPolicy = .registryOnly, accessLogFile: String = "") {
        self.snapshot.settings.outboundPolicy = policy
        self.snapshot.settings.accessLogFile = accessLogFile
    }

    /// A Kubernetes Service, `ports` as `name: number`, with endpoints `address: labels` on the same ports.
    mutating func service(
        _ name: String,
        namespace: String = "default",
        ip: String?,
        ports: [String: Int],
        endpoints: [String: [String: String]] = [:],
        isHeadless: Bool = false
    ) throws {
        let service = Service(
            host: try host("\(name).\(namespace).svc.cluster.local"),
            addresses: try ip.map { [try block($0)] } ?? [],
            ports: try ports.sorted { $0.value < $1.value }.map { name, number in
                let port = try port(number)
                return ServicePort(
                    name: name,
                    port: port,
                    applicationProtocol: ApplicationProtocol(appProtocol: nil, portName: name, port: port)
                )
            },
            isHeadless: isHeadless,
            source: ObjectReference(kind: "Service", id: ObjectID(namespace: namespace, name: name)),
            createdAt: self.tick()
        )
        self.snapshot.services.append(service)
        if isHeadless {
            let addresses = try endpoints.keys.map(address)
            self.snapshot.instances[ServiceKey(service)] = addresses.sorted().map { ServiceInstance(address: $0) }
        }
        self.snapshot.endpoints[ServiceKey(service)] = try endpoints.sorted { $0.key < $1.key }.flatMap {
            text,
            labels in
            try service.ports.map { port in
                Endpoint(
                    address: .ip(try address(text)),
                    port: port.port,
                    servicePortName: port.name,
                    labels: labels,
                    workload: ObjectID(namespace: namespace, name: "\(name)-\(text)")
                )
            }
        }
    }

    /// The service of this name stands for a revision.
    mutating func holds(_ revision: RevisionActivation, for name: String) {
        for index in self.snapshot.services.indices where self.snapshot.services[index].source.id.name == name {
            self.snapshot.services[index].activation = revision
        }
    }

    /// The pods of the service of this name are activators.
    mutating func reports(_ name: String) {
        for index in self.snapshot.services.indices where self.snapshot.services[index].source.id.name == name {
            self.snapshot.services[index].isReporter = true
        }
    }

    /// A pod of a revision, which the service of this name leads to.
    mutating func pod(_ name: String, at text: String, of revision: RevisionActivation?) throws {
        let ip = try address(text)
        var workload = Workload(
            id: ObjectID(namespace: "default", name: "\(name)-\(text)"),
            address: ip,
            labels: [:],
            serviceAccount: "default"
        )
        workload.activation = revision
        self.snapshot.workloads[ip] = workload
    }

    /// Of each service's endpoints only the first is left, and not ready yet.
    mutating func startsPod(hasMeshIdentity: Bool) {
        self.snapshot.endpoints = self.snapshot.endpoints.mapValues { endpoints in
            endpoints.prefix(1).map { endpoint in
                var endpoint = endpoint
                endpoint.isReady = false
                endpoint.isStarting = true
                endpoint.hasMeshIdentity = hasMeshIdentity
                return endpoint
            }
        }
    }

    /// A ServiceEntry with one host and one port.
    mutating func entry(
        _ text: String,
        namespace: String = "default",
        addresses: [String] = [],
        port number: Int,
        _ word: ApplicationProtocol,
        resolution: Resolution = .originalDestination,
        visibility: Visibility = .everyone
    ) throws {
        let time = self.tick()
        self.snapshot.services.append(
            Service(
                host: try host(text),
                addresses: try addresses.map(block),
                ports: [ServicePort(name: word.rawValue, port: try port(number), applicationProtocol: word)],
                resolution: resolution,
                isExternal: true,
                visibility: visibility,
                source: ObjectReference(
                    kind: "ServiceEntry",
                    id: ObjectID(namespace: namespace, name: "entry-\(time)")
                ),
                createdAt: time
            )
        )
    }

    /// A VirtualService.
    mutating func rules(
        for hosts: String...,
        namespace: String = "default",
        http: [HTTPRouteRule] = [],
        tls: [ConnectionRouteRule] = [],
        tcp: [ConnectionRouteRule] = []
    ) throws {
        let time = self.tick()
        self.snapshot.routeRules.append(
            RouteRules(
                source: ObjectReference(
                    kind: "VirtualService",
                    id: ObjectID(namespace: namespace, name: "rules-\(time)")
                ),
                createdAt: time,
                hosts: try hosts.map(host),
                http: http,
                tls: tls,
                tcp: tcp
            )
        )
    }

    /// A DestinationRule with subsets `name: version`.
    mutating func policy(
        for text: String,
        namespace: String = "default",
        _ policy: TrafficPolicy = TrafficPolicy(),
        subsets: [DestinationPolicy.Subset] = []
    ) throws {
        let time = self.tick()
        self.snapshot.destinationPolicies.append(
            DestinationPolicy(
                source: ObjectReference(
                    kind: "DestinationRule",
                    id: ObjectID(namespace: namespace, name: "rule-\(time)")
                ),
                createdAt: time,
                host: try host(text),
                policy: policy,
                subsets: subsets
            )
        )
    }

    /// A PeerAuthentication; younger than all before it.
    mutating func peers(
        _ mode: MutualTLSMode?,
        namespace: String = "istio-system",
        selector: [String: String] = [:],
        ports: [Port: MutualTLSMode] = [:]
    ) {
        let time = self.tick()
        let id = ObjectID(namespace: namespace, name: "peers-\(time)")
        self.snapshot.peerPolicies.append(
            PeerPolicy(
                source: ObjectReference(kind: "PeerAuthentication", id: id),
                createdAt: time,
                selector: selector,
                mode: mode,
                ports: ports
            )
        )
    }

    /// For what has no word of its own here.
    mutating func edit(_ change: (inout MeshSnapshot) throws -> Void) rethrows { try change(&self.snapshot) }

    /// All endpoints of Kubernetes Services take mutual TLS as `account`.
    mutating func giveIdentities(account: String? = "bookinfo") {
        for service in self.snapshot.services where service.isKubernetes {
            self.snapshot.endpoints[ServiceKey(service)] = self.snapshot.endpoints[ServiceKey(service)]?.map {
                var endpoint = $0
                endpoint.hasMeshIdentity = true
                endpoint.serviceAccount = account
                return endpoint
            }
        }
    }

    /// The resources of a proxy in `namespace`, as the pod `client` at 10.213.9.9 unless said otherwise.
    func resources(
        namespace: String = "default",
        pod: String = "client",
        address text: String = "10.213.9.9",
        labels: [String: String] = [:],
        locality: Locality = Locality(),
        isAuthenticated: Bool = false,
        mintsAddresses: Bool = false,
        asksPolicyEngine: Bool = false,
        holdsRequests: Bool = false
    ) throws -> ProxyResources {
        var proxy = ProxyKey(
            role: .sidecar,
            address: try address(text),
            workload: ObjectID(namespace: namespace, name: pod),
            dnsDomain: "\(namespace).svc.cluster.local",
            labels: labels
        )
        proxy.locality = locality
        proxy.isAuthenticated = isAuthenticated
        proxy.mintsAddresses = mintsAddresses
        proxy.asksPolicyEngine = asksPolicyEngine
        proxy.holdsRequests = holdsRequests
        return Translator.resources(of: proxy, in: self.snapshot)
    }

    private mutating func tick() -> Int64 {
        self.clock += 1
        return self.clock
    }
}

struct NotAValue: Error { var text: String }

func host(_ text: String) throws -> HostName {
    guard let host = HostName(text) else { throw NotAValue(text: text) }
    return host
}

func port(_ number: Int) throws -> Port {
    guard let port = Port(number) else { throw NotAValue(text: "\(number)") }
    return port
}

func block(_ text: String) throws -> CIDR {
    guard let block = CIDR(text) else { throw NotAValue(text: text) }
    return block
}

func address(_ text: String) throws -> IPAddress {
    guard let address = IPAddress(text) else { throw NotAValue(text: text) }
    return address
}
