import Foundation
import Hummingbird
import IdentityServer
import Logging
import MeshConfig
import MeshModel
import MeshPush
import NIOCore
import ServiceLifecycle

/// Metrics, readiness and debug pages.
struct MonitoringServer: Sendable {
    let push: PushServer
    let authority: AuthorityStatistics
    let addresses: AddressKeeper
    let remotes: RemoteClusters
    let version: String
    private let instance = ProcessInfo.processInfo.environment["POD_NAME"] ?? ProcessInfo.processInfo.hostName

    init(
        push: PushServer,
        authority: AuthorityStatistics,
        addresses: AddressKeeper,
        remotes: RemoteClusters,
        version: String
    ) {
        self.push = push
        self.authority = authority
        self.addresses = addresses
        self.remotes = remotes
        self.version = version
    }

    /// What `/debug/syncz` says.
    struct SyncPage: Codable {
        /// The pod that says so.
        var instance: String
        var version: String
        var revision: UInt64
        var proxies: [ProxyStatus]
    }

    /// What `/debug/clusterz` says: the other clusters of the mesh.
    struct ClusterPage: Codable {
        struct Cluster: Codable {
            var name: String
            var secret: String
            var server: String
            var state: String
            /// What was known of it once is in use although it does not answer now.
            var isKnown: Bool
            var fault: String?
        }

        var clusters: [Cluster]

        init(_ statuses: [RemoteClusterStatus]) {
            self.clusters = statuses.map {
                Cluster(
                    name: $0.name,
                    secret: $0.secret,
                    server: $0.server,
                    state: $0.state.rawValue,
                    isKnown: $0.isKnown,
                    fault: $0.fault
                )
            }
        }
    }

    /// What `/debug/configz` says: the mesh as the control plane understood it.
    struct ConfigPage: Codable {
        var revision: UInt64
        var services: [String]
        var virtualServices: [String]
        var destinationRules: [String]
        /// What was left out or looks wrong, and why.
        var diagnoses: [String]
    }

    func service(host: String, port: Int, logger: Logger) -> some ServiceLifecycle.Service {
        let router = Router()
        router.get("ready") { _, _ -> Response in
            if !self.push.hasPublished { return Self.text("waiting for the API server\n", .serviceUnavailable) }
            // Proxies that came now could not prove who they are.
            if self.authority.current.rootEnds == nil {
                return Self.text("waiting for the certificate authority\n", .serviceUnavailable)
            }
            return Self.text("ready\n")
        }
        router.get("metrics") { _, _ in
            let page =
                PrometheusPage(self.push).text + AuthorityPage(self.authority.current).text
                + self.addresses.page
            return Self.text(page, type: PrometheusPage.contentType)
        }
        router.get("debug/syncz") { _, _ in
            try Self.json(
                SyncPage(
                    instance: self.instance,
                    version: self.version,
                    revision: self.push.snapshot.revision,
                    proxies: self.push.status
                )
            )
        }
        router.get("debug/clusterz") { _, _ in try Self.json(ClusterPage(self.remotes.statuses)) }
        router.get("debug/configz") { _, _ in try Self.json(self.configPage) }
        router.get("debug/explain") { request, _ in
            ExplainPage(snapshot: self.push.snapshot).response(to: request)
        }
        router.get("debug/ndsz") { request, _ in
            try NamesPage(snapshot: self.push.snapshot).response(to: request)
        }
        router.get("version") { _, _ in Self.text(self.version + "\n") }
        return Application(
            router: router,
            configuration: .init(address: .hostname(host, port: port), serverName: "lateen-control"),
            logger: logger
        )
    }

    private var configPage: ConfigPage {
        let snapshot = self.push.snapshot
        return ConfigPage(
            revision: snapshot.revision,
            services: snapshot.services.map { "\($0.host) (\($0.source))" },
            virtualServices: snapshot.routeRules.map(\.source.description),
            destinationRules: snapshot.destinationPolicies.map(\.source.description),
            diagnoses: snapshot.diagnoses.map(\.description)
        )
    }

    private static func json(_ page: some Encodable) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(page)
        return Self.text(String(decoding: data, as: UTF8.self) + "\n", type: "application/json")
    }

    private static func text(
        _ text: String,
        _ status: HTTPResponse.Status = .ok,
        type: String = "text/plain; charset=utf-8"
    ) -> Response {
        Response(
            status: status,
            headers: [.contentType: type],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }
}
