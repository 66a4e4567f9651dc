internal import KubernetesAPI
internal import MeshModel
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Pods of revisions, and which of them answer.
///
/// A pod is asked itself, by opening a connection, from the moment that it has an address: Kubernetes would tell up to a
/// second later. Where a connection says nothing Kubernetes' word counts: a sidecar takes every one, and a program with
/// another readiness probe may listen long before it is ready.
struct PodWatch: Sendable {
    /// A pod as the API server knows it.
    struct Pod: Sendable, Hashable {
        var revision: ObjectID
        /// With the port that its program listens on.
        var address: String
        var isReady: Bool
        /// Whether it is ready when it takes connections.
        var isProbeable: Bool

        init?(_ object: KubernetesObject) {
            guard let revision = object.labels[ServingLabels.revision], !object.isBeingDeleted,
                let ip = object.json[path: "status", "podIP"]?.string, !ip.isEmpty
            else { return nil }
            let phase = object.json[path: "status", "phase"]?.string
            guard phase != "Succeeded", phase != "Failed" else { return nil }
            let containers =
                (object.json[path: "spec", "containers"]?.array ?? [])
                + (object.json[path: "spec", "initContainers"]?.array ?? [])
            var port = 8080
            var isProbeable = !containers.contains { $0["name"]?.string == "istio-proxy" }
            for container in containers {
                if let probe = container["readinessProbe"], probe["tcpSocket"] == nil { isProbeable = false }
                for candidate in container["ports"]?.array ?? [] where candidate["name"]?.string == "user-port" {
                    port = candidate["containerPort"]?.int ?? port
                }
            }
            self.revision = ObjectID(namespace: object.namespace ?? "", name: revision)
            self.address = ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
            self.isReady = StatusCondition.isTrue("Ready", in: object.json["status"] ?? .null)
            self.isProbeable = isProbeable
        }
    }

    private static let probeIntervalMin: Duration = .milliseconds(5)
    private static let probeIntervalMax: Duration = .seconds(1)
    private static let probeTimeout: TimeAmount = .milliseconds(300)

    /// Whether somebody accepts connections there.
    static func accepts(_ address: String) async -> Bool {
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]) else {
            return false
        }
        var host = String(address[..<colon])
        if host.hasPrefix("[") { host = String(host.dropFirst().dropLast()) }
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(Self.probeTimeout)
                .connect(host: host, port: port).get()
            channel.close(promise: nil)
            return true
        } catch {
            return false
        }
    }

    /// How long to wait after an attempt, `waited` after the first: a pod that starts is asked often, one that never does
    /// costs little.
    static func probeInterval(after waited: Duration) -> Duration {
        min(max(Self.probeIntervalMin, waited / 20), Self.probeIntervalMax)
    }

    /// Asks until the pod answers, or `isWanted` says that it does not matter any more.
    static func waitUntilAccepting(_ address: String, isWanted: @Sendable () -> Bool) async -> Bool {
        let start = ContinuousClock.now
        while isWanted(), !Task.isCancelled {
            if await Self.accepts(address) { return true }
            // Cancellation ends the loop.
            try? await Task.sleep(for: Self.probeInterval(after: start.duration(to: .now)))
        }
        return false
    }
}
