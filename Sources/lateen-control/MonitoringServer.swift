import Foundation
import Hummingbird
import Logging
import MeshModel
import MeshPush
import NIOCore
import ServiceLifecycle

/// Metrics, readiness and debug pages.
struct MonitoringServer: Sendable {
    let push: PushServer
    let version: String
    private let instance = ProcessInfo.processInfo.environment["POD_NAME"] ?? ProcessInfo.processInfo.hostName

    init(push: PushServer, version: String) {
        self.push = push
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
            self.push.hasPublished
                ? Self.text("ready\n") : Self.text("waiting for the API server\n", .serviceUnavailable)
        }
        router.get("metrics") { _, _ in Self.text(PrometheusPage(self.push).text, type: PrometheusPage.contentType) }
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
        router.get("debug/configz") { _, _ in try Self.json(self.configPage) }
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
