import Foundation
import Hummingbird
import Logging
import NIOCore
import PolicyEngine
import ServiceLifecycle
import Synchronization

/// Whether there is a configuration yet, and what was wrong with it.
final class MixerReadiness: Sendable {
    private let diagnoses = Mutex<[PolicyDiagnosis]?>(nil)

    var isReady: Bool { self.diagnoses.withLock { $0 != nil } }

    var current: [PolicyDiagnosis] { self.diagnoses.withLock { $0 ?? [] } }

    /// Logs what is new among the mistakes.
    func configured(_ configuration: PolicyConfiguration, logger: Logger) {
        let known = self.diagnoses.withLock { diagnoses in
            defer { diagnoses = configuration.diagnoses }
            return Set(diagnoses ?? [])
        }
        for diagnosis in configuration.diagnoses where !known.contains(diagnosis) {
            logger.warning("object left out", metadata: ["mistake": "\(diagnosis)"])
        }
        logger.info(
            "configuration applied",
            metadata: [
                "rules": "\(configuration.ruleCount)", "handlers": "\(configuration.handlers.count)",
                "mistakes": "\(configuration.diagnoses.count)",
            ]
        )
    }
}

/// Knows who asks: some pages are for those in the engine's own pod.
struct MonitoringContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let isLocal: Bool

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        let address = source.channel.remoteAddress?.ipAddress
        self.isLocal = address == "127.0.0.1" || address == "::1" || address == "::ffff:127.0.0.1"
    }
}

/// Metrics, readiness and debug pages of the policy engine.
struct MixerMonitoring: Sendable {
    let server: PolicyServer
    let readiness: MixerReadiness
    let environment: AdapterEnvironment

    func service(host: String, port: Int, logger: Logger) -> some ServiceLifecycle.Service {
        let router = Router(context: MonitoringContext.self)
        router.get("ready") { _, _ -> Response in
            self.readiness.isReady
                ? Self.text("ready\n") : Self.text("waiting for the configuration\n", .serviceUnavailable)
        }
        router.get("metrics") { _, _ in
            Self.text(
                self.environment.metrics.page(now: self.environment.now()),
                type: "text/plain; version=0.0.4; charset=utf-8"
            )
        }
        router.get("debug/diagnoses") { _, _ in
            Self.text(self.readiness.current.map { "\($0)\n" }.joined())
        }
        router.post("debug/trace") { request, context in
            guard context.isLocal else {
                // It shows all rules, and what handlers say of whom.
                return Self.text("only from the engine's own pod, as `lateen policy trace` does\n", .forbidden)
            }
            return try await self.trace(request)
        }
        return Application(
            router: router,
            configuration: .init(address: .hostname(host, port: port), serverName: "lateen-control"),
            logger: logger
        )
    }

    /// Traces the request of a ``TraceQuestion``.
    private func trace(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: TraceQuestion.bytesMax)
        let dispatcher = self.server.dispatcher
        let question: TraceQuestion
        do throws(AttributeDocument.Mistake) {
            question = try TraceQuestion(
                body.readableBytesView,
                vocabulary: dispatcher.configuration.vocabulary
            )
        } catch {
            return Self.text("\(error)\n", .badRequest)
        }
        var trace = await dispatcher.trace(question.bag, asksOutside: question.asksAdapters)
        trace.unknown = question.unknown
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let page = String(decoding: try encoder.encode(trace), as: UTF8.self)
        return Self.text(page + "\n", type: "application/json")
    }

    private static func text(
        _ text: String,
        _ status: HTTPResponse.Status = .ok,
        type: String = "text/plain; charset=utf-8"
    ) -> Response {
        Response(
            status: status,
            headers: [.contentType: type],
            body: .init(byteBuffer: ByteBuffer(string: text))
        )
    }
}
