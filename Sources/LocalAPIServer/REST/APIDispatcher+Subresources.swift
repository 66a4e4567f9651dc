import Foundation
import KubernetesAPI
import NIOCore
import NIOHTTP1

extension APIDispatcher {
    func subresource(_ target: Target, _ request: APIRequest) async throws -> APIResponse {
        let info = target.info
        let name = target.name ?? ""
        switch (target.subresource ?? "", request.method) {
        case ("status", .GET) where info.hasStatus:
            let object = try self.service.get(info, namespace: target.namespace, name: name)
            return .json(try Representation(request).one(object, info: info))
        case ("status", .PUT) where info.hasStatus, ("status", .PATCH) where info.hasStatus:
            return try self.answer(try await self.write(target, name, .status, request), request, info)
        case ("finalize", .PUT) where info.storageResource == ResourceService.namespaces:
            return .json(try self.service.get(info, namespace: nil, name: name))
        case ("scale", _) where info.hasScale: return try await self.scale(target, name, request)
        case ("token", .POST) where info.plural == "serviceaccounts": return try await self.token(target, name, request)
        case ("log", .GET) where info.storageResource == ResourceService.pods:
            return try await self.log(target, name, request)
        case ("exec", _) where info.storageResource == ResourceService.pods,
            ("attach", _) where info.storageResource == ResourceService.pods:
            // Reached only without a WebSocket upgrade, or when the upgrade was refused: say why.
            _ = try self.execRequest(target, request)
            throw APIFailure.badRequest("exec and attach need a WebSocket upgrade (kubectl 1.31 or later)")
        case ("eviction", .POST) where info.storageResource == ResourceService.pods:
            _ = try await self.service.delete(info, namespace: target.namespace, name: name, options: DeleteOptions())
            return .json(
                ["kind": "Status", "apiVersion": "v1", "metadata": .object([:]), "status": "Success"],
                code: 201
            )
        default: throw APIFailure.pathNotFound()
        }
    }

    // MARK: Scale

    private func scale(_ target: Target, _ name: String, _ request: APIRequest) async throws -> APIResponse {
        switch request.method {
        case .GET:
            let object = try self.service.get(target.info, namespace: target.namespace, name: name)
            return .json(Self.scale(of: object))
        case .PUT, .PATCH:
            let document = try request.document()
            let isPatch = request.method == .PATCH
            let type = request.contentType
            let outcome = try await self.service.update(
                target.info,
                namespace: target.namespace,
                name: name,
                options: try WriteOptions(request)
            ) { current in
                var scale = document
                if isPatch {
                    let before = Self.scale(of: current)
                    do {
                        scale =
                            type == "application/json-patch+json"
                            ? try before.applyingJSONPatch(document) : before.applyingMergePatch(document)
                    } catch { throw APIFailure(422, "Invalid", "the patch cannot be applied: \(error)") }
                }
                let replicas = scale.at("spec", "replicas") ?? 0
                guard scale["spec"]?.object != nil, let count = replicas.int else {
                    throw APIFailure.badRequest("a Scale must have a whole number in spec.replicas")
                }
                guard count >= 0 else {
                    throw APIFailure.invalid(
                        kind: "Scale",
                        group: "autoscaling",
                        name: name,
                        [.invalid("spec.replicas", replicas, "must be greater than or equal to 0")]
                    )
                }
                let version = scale.metadataString("resourceVersion")
                var next = current
                next.mutate("spec") { $0.set("replicas", JSONValue(count)) }
                return version.isEmpty ? next : next.settingMetadata("resourceVersion", .string(version))
            }
            return .json(Self.scale(of: outcome.object))
        default: throw APIFailure.methodNotAllowed()
        }
    }

    private static func scale(of object: JSONValue) -> JSONValue {
        [
            "kind": "Scale", "apiVersion": "autoscaling/v1",
            "metadata": [
                "name": object.metadata["name"] ?? "", "namespace": object.metadata["namespace"] ?? "",
                "uid": object.metadata["uid"] ?? "", "resourceVersion": object.metadata["resourceVersion"] ?? "",
                "creationTimestamp": object.metadata["creationTimestamp"] ?? .null,
            ],
            "spec": ["replicas": object.at("spec", "replicas") ?? 0],
            "status": [
                "replicas": object.at("status", "replicas") ?? 0,
                "selector": .string(LabelSelector(json: object.at("spec", "selector")).text),
            ],
        ]
    }

    // MARK: Tokens

    private func token(_ target: Target, _ name: String, _ request: APIRequest) async throws -> APIResponse {
        let account = try self.service.get(target.info, namespace: target.namespace, name: name)
        var review = try request.document()
        let spec = review["spec"] ?? .null
        let namespace = target.namespace ?? ""
        var pod: ServiceAccountTokens.Claims.Reference?
        if let bound = spec["boundObjectRef"], bound["kind"]?.string == "Pod" {
            let podName = bound["name"]?.string ?? ""
            let key = StoreKey(resource: ResourceService.pods, namespace: namespace, name: podName)
            guard let object = self.service.store.object(key) else {
                throw APIFailure.notFound(ResourceService.pods, podName)
            }
            if let uid = bound["uid"]?.string, !uid.isEmpty, uid != object.uid {
                throw APIFailure.conflict(
                    ResourceService.pods,
                    podName,
                    "the UID in the bound object reference (\(uid)) is another pod's"
                )
            }
            pod = ServiceAccountTokens.Claims.Reference(name: podName, uid: object.uid)
        }
        let seconds = min(max(spec["expirationSeconds"]?.int ?? 3600, 600), 365 * 86_400)
        let audiences = (spec["audiences"]?.array ?? []).compactMap(\.string)
        let issued = try await self.tokens.issue(
            namespace: namespace,
            account: ServiceAccountTokens.Claims.Reference(name: name, uid: account.metadataString("uid")),
            pod: pod,
            audiences: audiences,
            lifetime: TimeInterval(seconds)
        )
        review.set("kind", "TokenRequest")
        review.set("apiVersion", "authentication.k8s.io/v1")
        review.mutate("metadata") { metadata in
            metadata.set("name", .string(name))
            metadata.set("namespace", .string(namespace))
            metadata.set("creationTimestamp", ResourceService.now())
        }
        review.mutate("spec") { spec in
            spec.set("audiences", JSONValue(audiences.isEmpty ? [self.tokens.issuer] : audiences))
            spec.set("expirationSeconds", JSONValue(seconds))
        }
        review.set(
            "status",
            [
                "token": .string(issued.token),
                "expirationTimestamp": .string(
                    KubernetesTime.text(seconds: Int64(issued.expires.timeIntervalSince1970))
                ),
            ]
        )
        return .json(review, code: 201)
    }

    // MARK: Logs and processes

    private func log(_ target: Target, _ name: String, _ request: APIRequest) async throws -> APIResponse {
        let pod = try self.service.get(target.info, namespace: target.namespace, name: name)
        let container = try Self.container(request.parameter("container"), of: pod)
        var log = PodLogRequest(namespace: target.namespace ?? "", pod: name, container: container)
        log.follow = request.flag("follow")
        log.previous = request.flag("previous")
        log.timestamps = request.flag("timestamps")
        log.tailLines = try request.integer("tailLines")
        log.sinceSeconds = try request.integer("sinceSeconds")
        if let since = request.parameter("sinceTime"), let moment = KubernetesTime.seconds(since) {
            log.sinceSeconds = max(1, Int(Int64(Date().timeIntervalSince1970) - moment))
        }
        log.bytesMax = try request.integer("limitBytes")
        let chunks: AsyncThrowingStream<ByteBuffer, any Error>
        do { chunks = try await self.backend.logs(log) } catch let error as PodBackendError {
            throw Self.failure(error, name)
        }
        return APIResponse(
            code: 200,
            body: .stream(contentType: "text/plain") { write in
                for try await chunk in chunks where chunk.readableBytes > 0 { try await write(chunk) }
            }
        )
    }

    func execRequest(_ target: Target, _ request: APIRequest) throws -> PodExecRequest {
        let name = target.name ?? ""
        let pod = try self.service.get(target.info, namespace: target.namespace, name: name)
        let container = try Self.container(request.parameter("container"), of: pod)
        let phase = pod.at("status", "phase")?.string ?? ""
        guard phase != "Succeeded", phase != "Failed" else {
            throw APIFailure.badRequest("cannot exec into a container in a completed pod; current phase is \(phase)")
        }
        let isAttach = target.subresource == "attach"
        let command = request.query["command"] ?? []
        guard isAttach || !command.isEmpty else {
            throw APIFailure.badRequest("you must specify at least 1 command for the container")
        }
        return PodExecRequest(
            namespace: target.namespace ?? "",
            pod: name,
            container: container,
            command: command,
            isAttach: isAttach,
            stdin: request.flag("stdin"),
            stdout: request.flag("stdout"),
            stderr: request.flag("stderr"),
            terminal: request.flag("tty")
        )
    }

    /// The container asked for, or the only one, or the one that the pod calls its default.
    private static func container(_ given: String?, of pod: JSONValue) throws -> String {
        let all = ["containers", "initContainers"].map { list in
            (pod.at("spec", list)?.array ?? []).compactMap { $0["name"]?.string }
        }
        let name = pod.metadataString("name")
        if let given, !given.isEmpty {
            guard all.joined().contains(given) else {
                throw APIFailure.badRequest("container \(given) is not valid for pod \(name)")
            }
            return given
        }
        let preferred = pod.metadata["annotations"]?["kubectl.kubernetes.io/default-container"]?.string
        if let preferred, all[0].contains(preferred) { return preferred }
        if all[0].count == 1 { return all[0][0] }
        throw APIFailure.badRequest(
            "a container name must be specified for pod \(name), choose one of: [\(all[0].joined(separator: " "))]"
        )
    }

    static func failure(_ error: PodBackendError, _ pod: String) -> APIFailure {
        switch error.code {
        case .notFound: APIFailure(404, "NotFound", error.message)
        case .badRequest: APIFailure.badRequest(error.message)
        case .unavailable: APIFailure(503, "ServiceUnavailable", error.message)
        }
    }
}
