internal import KubernetesAPI
internal import MeshModel
internal import Serverless
internal import TrafficEngine

/// A pod of a revision, as the API server knows it.
struct ActivatorPod: Sendable, Hashable {
    var revision: ObjectID
    /// With the port that its program listens on.
    var address: NetworkAddress
    var isReady: Bool
    /// Whether it is ready when it takes connections. A sidecar takes every one, and a program with another readiness probe
    /// may listen long before it is ready: where a connection says nothing Kubernetes' word counts.
    var isReadyWhenConnected: Bool
    /// Its port says so by its name.
    var speaksHTTP2 = false

    /// Knative's names of the port that requests go to, as one of its pods has it, and as its users may.
    private static let (portName, http2PortName) = ("user-port", "h2c")
    private static let portDefault = 8080
    private static let sidecarName = "istio-proxy"

    /// `nil` if no request can go there: it is no revision's, has no address, or has come to its end.
    init?(_ object: KubernetesObject) {
        guard let revision = object.labels[ServingLabels.revision], !object.isBeingDeleted,
            let ip = object.json[path: "status", "podIP"]?.string.flatMap({ IPAddress($0) })
        else { return nil }
        let phase = object.json[path: "status", "phase"]?.string
        guard phase != "Succeeded", phase != "Failed" else { return nil }
        let containers =
            (object.json[path: "spec", "containers"]?.array ?? [])
            + (object.json[path: "spec", "initContainers"]?.array ?? [])
        let ports = containers.flatMap { $0["ports"]?.array ?? [] }
        func port(_ name: String) -> Int? { ports.first { $0["name"]?.string == name }?["containerPort"]?.int }
        let http2Port = port(Self.http2PortName)
        guard let port = UInt16(exactly: port(Self.portName) ?? http2Port ?? Self.portDefault), port > 0 else {
            return nil
        }
        self.revision = ObjectID(namespace: object.namespace ?? "", name: revision)
        self.address = NetworkAddress(ip: ip, port: port)
        self.isReady = StatusCondition.isTrue("Ready", in: object.json["status"] ?? .null)
        self.isReadyWhenConnected = containers.allSatisfy { container in
            let probe = container["readinessProbe"]
            return container["name"]?.string != Self.sidecarName && (probe == nil || probe?["tcpSocket"] != nil)
        }
        self.speaksHTTP2 = http2Port == Int(port)
    }

    /// Requests may go there, now or as soon as it takes connections.
    var mayTakeRequests: Bool { self.isReady || self.isReadyWhenConnected }
}
