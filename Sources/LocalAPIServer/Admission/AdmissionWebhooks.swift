import AsyncHTTPClient
import Foundation
import KubernetesAPI
import Logging
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import NIOSSL

/// Calls the mutating and then the validating webhooks that registered for a write (AdmissionReview v1 over HTTPS).
final class AdmissionWebhooks: Sendable {
    /// The write that is asked about.
    struct Review: Sendable {
        var info: ResourceInfo
        var operation: String
        var namespace: String?
        var object: JSONValue
        var oldObject: JSONValue?
        var options: WriteOptions
    }

    private static let mutating = GroupResource(
        group: "admissionregistration.k8s.io",
        resource: "mutatingwebhookconfigurations"
    )
    private static let validating = GroupResource(
        group: "admissionregistration.k8s.io",
        resource: "validatingwebhookconfigurations"
    )
    private static let answerBytesMax = 3 << 20

    private let store: ObjectStore
    private let logger: Logger

    init(store: ObjectStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// The object as the webhooks want it; throws what a webhook or the failure to reach it refuses.
    func admit(_ review: Review) async throws -> (object: JSONValue, warnings: [String]) {
        // The configurations themselves are exempt: a broken webhook must not keep its own repair out.
        guard review.info.group != "admissionregistration.k8s.io" else { return (review.object, []) }
        var review = review
        var warnings: [String] = []
        for resource in [Self.mutating, Self.validating] {
            for configuration in self.store.objects(of: resource) {
                for webhook in configuration.json["webhooks"]?.array ?? []
                where WebhookMatching.matches(webhook, review, store: self.store) {
                    let answer = try await self.call(webhook, configuration: configuration.key.name, review: review)
                    warnings += answer.warnings
                    if resource == Self.mutating { review.object = answer.object }
                }
            }
        }
        return (review.object, warnings)
    }

    private func call(
        _ webhook: JSONValue,
        configuration: String,
        review: Review
    ) async throws -> (object: JSONValue, warnings: [String]) {
        let name = webhook["name"]?.string ?? ""
        let answer: JSONValue
        let uid = UUID().uuidString.lowercased()
        do {
            answer = try await self.send(webhook, Self.body(review, uid: uid))
        } catch {
            let why = (error as? WebhookFailure)?.message ?? "\(error)"
            if webhook["failurePolicy"]?.string == "Ignore" {
                self.logger.warning(
                    "admission webhook failed, ignored by its policy",
                    metadata: ["webhook": "\(name)", "error": "\(why)"]
                )
                return (review.object, [])
            }
            throw APIFailure.internalError(
                "failed calling webhook \"\(name)\": \(why); see that its service runs (kubectl get pods -A), or remove "
                    + "it with: kubectl delete \(Self.kind(webhook, configuration))"
            )
        }
        guard let response = answer["response"], response["uid"]?.string == uid else {
            throw APIFailure.internalError(
                "failed calling webhook \"\(name)\": its answer is no AdmissionReview for the request sent"
            )
        }
        let warnings = (response["warnings"]?.array ?? []).compactMap(\.string)
        guard response["allowed"]?.bool == true else {
            let message = response.at("status", "message")?.string ?? "without explanation"
            var failure = APIFailure(
                response.at("status", "code")?.int ?? 400,
                response.at("status", "reason")?.string ?? "",
                "admission webhook \"\(name)\" denied the request: \(message)"
            )
            if !(400..<600).contains(failure.code) { failure.code = 400 }
            throw failure
        }
        guard let patch = response["patch"]?.string else { return (review.object, warnings) }
        guard let bytes = Base64.decode(patch), let document = try? JSONValue.parse(bytes) else {
            throw APIFailure.internalError("webhook \"\(name)\" answered with a patch that is not base64 of JSON")
        }
        do { return (try review.object.applyingJSONPatch(document), warnings) } catch {
            throw APIFailure.internalError("the patch of webhook \"\(name)\" cannot be applied: \(error)")
        }
    }

    private static func kind(_ webhook: JSONValue, _ configuration: String) -> String {
        let type = webhook["reinvocationPolicy"] == nil ? "validating" : "mutating"
        return "\(type)webhookconfiguration \(configuration)"
    }

    private static func body(_ review: Review, uid: String) -> JSONValue {
        let info = review.info
        let kind: JSONValue = [
            "group": .string(info.group), "version": .string(info.version), "kind": .string(info.kind),
        ]
        let resource: JSONValue = [
            "group": .string(info.group), "version": .string(info.version), "resource": .string(info.plural),
        ]
        var request: JSONValue = [
            "uid": .string(uid), "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "operation": .string(review.operation), "name": .string(review.object.metadataString("name")),
            "userInfo": [
                "username": .string(review.options.identity.name), "groups": JSONValue(review.options.identity.groups),
            ],
            "object": review.object, "oldObject": review.oldObject ?? .null,
            "dryRun": .bool(review.options.isDryRun),
            "options": [
                "kind": .string(review.operation == "CREATE" ? "CreateOptions" : "UpdateOptions"),
                "apiVersion": "meta.k8s.io/v1",
            ],
        ]
        if let namespace = review.namespace { request.set("namespace", .string(namespace)) }
        return ["kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request]
    }

    private func send(_ webhook: JSONValue, _ body: JSONValue) async throws -> JSONValue {
        let target = try WebhookTarget(webhook, store: self.store)
        var tls = TLSConfiguration.makeClientConfiguration()
        if let bundle = webhook.at("clientConfig", "caBundle")?.string, !bundle.isEmpty {
            guard let bytes = Base64.decode(bundle), let roots = try? NIOSSLCertificate.fromPEMBytes(bytes) else {
                throw WebhookFailure("its caBundle is not base64 of PEM certificates")
            }
            tls.trustRoots = .certificates(roots)
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        if let address = target.address { configuration.dnsOverride = [target.host: address] }
        // Webhooks are called when pods are made: a connection for each call keeps no stale certificate around.
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let seconds = Int64(min(max(webhook["timeoutSeconds"]?.int ?? 10, 1), 30))
        let result: Result<JSONValue, any Error>
        do {
            var request = HTTPClientRequest(url: target.url)
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            request.headers.add(name: "accept", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body.serialize()))
            let response = try await client.execute(request, timeout: .seconds(seconds))
            let answer = try await response.body.collect(upTo: Self.answerBytesMax)
            guard response.status == .ok else {
                throw WebhookFailure("\(target.url) answered \(response.status.code)")
            }
            result = .success(try JSONValue.parse(answer.readableBytesView))
        } catch let failure as WebhookFailure {
            result = .failure(failure)
        } catch {
            result = .failure(WebhookFailure("Post \"\(target.url)\" (\(target.address ?? "by name")): \(error)"))
        }
        // The client is idle now; a failure to close it has no effect on the answer.
        try? await client.shutdown()
        return try result.get()
    }
}

/// Why a webhook could not be asked.
struct WebhookFailure: Error {
    var message: String

    init(_ message: String) { self.message = message }
}
