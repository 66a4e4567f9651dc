import Hummingbird
import HummingbirdTLS
import KubernetesAPI
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import SidecarInjection

/// The admission webhook that the API server calls for each new pod.
struct InjectionWebhook: Sendable {
    let client: KubernetesClient
    let namespace: String
    let service: String
    let injector: SidecarInjector
    let logger: Logger

    /// The object that tells the API server about the webhook.
    private static let registration = "istio-sidecar-injector"
    private static let reviewBytesMax = 8 << 20

    /// Serves until cancelled, and keeps the API server told whom to trust.
    func run(host: String, port: Int) async throws {
        let store = WebhookCertificateStore(
            client: self.client,
            namespace: self.namespace,
            service: self.service,
            logger: self.logger
        )
        let certificate = try await store.certificate()
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(certificate.certificatePEM.utf8)).map {
                .certificate($0)
            },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(certificate.keyPEM.utf8), format: .pem))
        )
        tls.minimumTLSVersion = .tlsv12
        let application = Application(
            router: self.router(),
            server: try .tls(.http1(), tlsConfiguration: tls),
            configuration: .init(address: .hostname(host, port: port), serverName: "lateen-control"),
            logger: self.logger
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask { await self.register(certificate.authorityPEM) }
            defer { group.cancelAll() }
            while try await group.next() != nil {}
        }
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.post("inject") { request, _ -> Response in
            let body = try await request.body.collect(upTo: Self.reviewBytesMax)
            let review: AdmissionReview
            do {
                review = try AdmissionReview(json: try JSONValue.parse(body.readableBytesView))
            } catch {
                throw HTTPError(.badRequest, message: "\(error)")
            }
            let answer = try await self.answer(review)
            return Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.serialize()))
            )
        }
        router.get("ready") { _, _ in HTTPResponse.Status.ok }
        return router
    }

    /// Labels are asked for anew each time: the namespace may be a moment old, and a pod is made only once.
    private func answer(_ review: AdmissionReview) async throws -> JSONValue {
        let labels = try await self.client.get(.namespaces, name: review.namespace).labels
        let (answer, decision) = self.injector.answer(review, namespaceLabels: labels)
        let pod = KubernetesObject(json: review.object)
        self.logger.info(
            "pod reviewed",
            metadata: [
                "pod": "\(review.namespace)/\(pod.name.isEmpty ? pod.generateName ?? "" : pod.name)",
                "decision": "\(decision)",
            ]
        )
        return answer
    }

    /// Writes our authority into the registration whenever it is not there.
    private func register(_ authorityPEM: String) async {
        let bundle = JSONValue.string(Base64.text(authorityPEM))
        await self.client.reflect(
            .mutatingWebhookConfigurations,
            fieldSelector: "metadata.name=\(Self.registration)"
        ) { change in
            for object in change.present where object.name == Self.registration {
                await self.update(object, bundle)
            }
        }
    }

    private func update(_ object: KubernetesObject, _ bundle: JSONValue) async {
        var patch = JSONPatch()
        for (index, webhook) in (object.json["webhooks"]?.array ?? []).enumerated() {
            guard webhook[path: "clientConfig", "caBundle"] != bundle, webhook["clientConfig"]?.object != nil else {
                continue
            }
            patch.operations.append(.add(path: ["webhooks", "\(index)", "clientConfig", "caBundle"], value: bundle))
        }
        guard !patch.operations.isEmpty else { return }
        do {
            _ = try await self.client.patch(.mutatingWebhookConfigurations, name: object.name, .json(patch))
            self.logger.info("webhook registered", metadata: ["configuration": "\(object.name)"])
        } catch {
            // The next change or relist of the object tries again.
            self.logger.warning(
                "cannot write the webhook's authority",
                metadata: ["configuration": "\(object.name)", "error": "\(error)"]
            )
        }
    }
}

extension ObjectChange {
    /// Objects that exist after the change, of those it speaks of.
    var present: [KubernetesObject] {
        switch self {
        case .replacedAll(let objects): objects
        case .added(let object), .modified(let object): [object]
        case .deleted: []
        }
    }
}
