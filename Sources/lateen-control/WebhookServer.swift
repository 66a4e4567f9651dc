import Hummingbird
import HummingbirdTLS
import KubernetesAPI
import Logging
import MeshConfig
import MeshModel
import NIOCore
import NIOSSL
import ServiceLifecycle
import SidecarInjection

/// The admission webhooks: each new pod is reviewed for injection, each object of the mesh for mistakes.
struct WebhookServer: Sendable {
    let client: KubernetesClient
    let namespace: String
    let service: String
    /// As the mesh is set up at the moment.
    let injector: @Sendable () -> SidecarInjector
    let domainSuffix: String
    let logger: Logger

    /// The objects that tell the API server about the webhooks.
    private static let registrations: [(type: ResourceType, name: String)] = [
        (.mutatingWebhookConfigurations, "istio-sidecar-injector"),
        (.validatingWebhookConfigurations, "istio-validator"),
    ]
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
            for registration in Self.registrations {
                group.addTask { await self.register(registration.type, registration.name, certificate.authorityPEM) }
            }
            defer { group.cancelAll() }
            while try await group.next() != nil {}
        }
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.post("inject") { request, _ in
            try await self.respond(to: request) { review in try await self.inject(review) }
        }
        router.post("validate") { request, _ in
            try await self.respond(to: request) { review in await self.validate(review) }
        }
        router.get("ready") { _, _ in HTTPResponse.Status.ok }
        return router
    }

    private func respond(
        to request: Request,
        _ answer: (AdmissionReview) async throws -> JSONValue
    ) async throws -> Response {
        let body = try await request.body.collect(upTo: Self.reviewBytesMax)
        let review: AdmissionReview
        do {
            review = try AdmissionReview(json: try JSONValue.parse(body.readableBytesView))
        } catch {
            throw HTTPError(.badRequest, message: "\(error)")
        }
        let bytes = try await answer(review).serialize()
        return Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// Reads the object as the control plane, or the policy engine, will when it is stored.
    private func validate(_ review: AdmissionReview) async -> JSONValue {
        let object = KubernetesObject(json: review.object)
        let diagnoses = Validator.diagnoses(for: object, domain: self.domainSuffix)
        let admission = PolicyAdmission(client: self.client, logger: self.logger)
        let policy = await admission.review(object, namespace: review.namespace)
        let objections = diagnoses.filter { $0.severity == .error }.map(Self.text) + (policy?.objections ?? [])
        if !objections.isEmpty {
            self.logger.info(
                "configuration refused",
                metadata: ["object": "\(object)", "problems": "\(objections.joined(separator: "; "))"]
            )
        }
        return review.answer(
            objections: objections,
            warnings: diagnoses.filter { $0.severity != .error }.map(Self.text) + (policy?.warnings ?? [])
        )
    }

    private static func text(_ diagnosis: Diagnosis) -> String {
        diagnosis.field.isEmpty ? diagnosis.message : "\(diagnosis.field): \(diagnosis.message)"
    }

    /// Labels are asked for anew each time: the namespace may be a moment old, and a pod is made only once.
    private func inject(_ review: AdmissionReview) async throws -> JSONValue {
        let labels = try await self.client.get(.namespaces, name: review.namespace).labels
        let (answer, decision) = self.injector().answer(review, namespaceLabels: labels)
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
    private func register(_ type: ResourceType, _ name: String, _ authorityPEM: String) async {
        let bundle = JSONValue.string(Base64.text(authorityPEM))
        await self.client.reflect(type, fieldSelector: "metadata.name=\(name)") { change in
            for object in change.present where object.name == name { await self.update(type, object, bundle) }
        }
    }

    private func update(_ type: ResourceType, _ object: KubernetesObject, _ bundle: JSONValue) async {
        var patch = JSONPatch()
        for (index, webhook) in (object.json["webhooks"]?.array ?? []).enumerated() {
            guard webhook[path: "clientConfig", "caBundle"] != bundle, webhook["clientConfig"]?.object != nil else {
                continue
            }
            patch.operations.append(.add(path: ["webhooks", "\(index)", "clientConfig", "caBundle"], value: bundle))
        }
        guard !patch.operations.isEmpty else { return }
        do {
            _ = try await self.client.patch(type, name: object.name, .json(patch))
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
