import Foundation
import KubernetesAPI
import Logging
import NIOCore
import NIOHTTP1

/// Finds out what a request's address means and has it done.
package struct APIDispatcher: Sendable {
    let service: ResourceService
    let tokens: ServiceAccountTokens
    let backend: any PodBackend
    let address: @Sendable () -> String
    let logger: Logger

    /// The kind, and the object or part of it, that an address names.
    package struct Target: Sendable {
        package var info: ResourceInfo
        package var namespace: String?
        package var name: String?
        package var subresource: String?
    }

    /// Who may do what.
    var authorizer: Authorizer { Authorizer(store: self.service.store) }

    static let openPaths: Set<String> = ["healthz", "livez", "readyz", "version"]

    func handle(_ request: APIRequest) async throws -> APIResponse {
        guard let first = request.path.first else {
            return .json([
                "paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
            ])
        }
        let isOpen = Self.openPaths.contains(first)
        if request.identity.isAnonymous, !isOpen { throw APIFailure.unauthorized() }
        switch first {
        case "healthz", "livez", "readyz": return .text("ok")
        case "version": return .json(DiscoveryDocuments.version)
        case "openapi": return try self.openAPI(request)
        case "api", "apis": return try await self.resource(request)
        default: throw APIFailure.pathNotFound()
        }
    }

    private func openAPI(_ request: APIRequest) throws -> APIResponse {
        let path = request.path
        let documents = OpenAPIDocuments(catalogue: self.service.registry.current)
        if path == ["openapi", "v2"] { return SwaggerDocument(documents).response(to: request) }
        guard path.count >= 2, path[1] == "v3" else { throw APIFailure.pathNotFound() }
        if path.count == 2 { return .json(documents.index()) }
        let document: JSONValue? =
            switch (path[2], path.count) {
            case ("api", 4): documents.document(group: "", version: path[3])
            case ("apis", 5): documents.document(group: path[3], version: path[4])
            default: nil
            }
        guard let document else { throw APIFailure.pathNotFound() }
        return .json(document)
    }

    private func resource(_ request: APIRequest) async throws -> APIResponse {
        if request.path == Self.accessReviewsPath { return try self.accessReview(request) }
        if request.path == Self.tokenReviewsPath { return try await self.tokenReview(request) }
        let catalogue = self.service.registry.current
        if let response = self.discovery(request, catalogue) { return response }
        let target = try Self.target(request.path, catalogue)
        try self.authorize(target, request)
        if target.subresource != nil { return try await self.subresource(target, request) }
        if target.name != nil { return try await self.object(target, request) }
        return try await self.collection(target, request)
    }

    /// - Throws: 403, if who asks may not.
    func authorize(_ target: Target, _ request: APIRequest) throws {
        let access = AccessRequest(target, request.method, isWatch: request.flag("watch"))
        try self.authorizer.check(request.identity, access)
        // Applying an object that is not there makes it.
        guard request.method == .PATCH, request.contentType.contains("apply-patch"), target.subresource == nil else {
            return
        }
        let key = StoreKey(
            resource: target.info.storageResource,
            namespace: target.namespace ?? "",
            name: target.name ?? ""
        )
        guard self.service.store.object(key) == nil else { return }
        var creation = access
        creation.verb = "create"
        try self.authorizer.check(request.identity, creation)
    }

    private func discovery(_ request: APIRequest, _ catalogue: ResourceCatalogue) -> APIResponse? {
        let path = request.path
        let documents = DiscoveryDocuments(catalogue: catalogue)
        let isCore = path[0] == "api"
        switch (isCore, path.count) {
        case (_, 1):
            for (_, parameters) in request.accepted where parameters["as"] == "APIGroupDiscoveryList" {
                if let version = parameters["v"], version == "v2" || version == "v2beta1" {
                    return documents.aggregated(core: isCore, version: version)
                }
            }
            return .json(isCore ? documents.core(address: self.address()) : documents.groups())
        case (true, 2): return documents.resources(group: "", version: path[1]).map { .json($0) }
        case (false, 2): return catalogue.groups.contains(path[1]) ? .json(documents.group(path[1])) : nil
        case (false, 3): return documents.resources(group: path[1], version: path[2]).map { .json($0) }
        default: return nil
        }
    }

    package static func target(_ path: [String], _ catalogue: ResourceCatalogue) throws -> Target {
        var rest = path.dropFirst()
        let group = path[0] == "apis" ? rest.popFirst() ?? "" : ""
        guard let version = rest.popFirst(), !rest.isEmpty else { throw APIFailure.pathNotFound() }
        var namespace: String?
        // `namespaces/x` alone is the namespace itself, and `namespaces/x/status` a part of it.
        if rest.first == "namespaces", rest.count >= 3,
            !(group.isEmpty && rest.count == 3 && ["status", "finalize"].contains(rest[rest.startIndex + 2]))
        {
            rest.removeFirst()
            namespace = rest.popFirst()
        }
        guard let plural = rest.popFirst(),
            let info = catalogue.find(group: group, version: version, plural: plural), rest.count <= 2,
            info.isNamespaced || namespace == nil
        else { throw APIFailure.pathNotFound() }
        let name = rest.popFirst()
        if info.isNamespaced, namespace == nil, name != nil { throw APIFailure.pathNotFound() }
        return Target(info: info, namespace: namespace, name: name, subresource: rest.popFirst())
    }

    private func collection(_ target: Target, _ request: APIRequest) async throws -> APIResponse {
        let info = target.info
        switch request.method {
        case .GET:
            let query = try ListQuery(request, info: info, namespace: target.namespace)
            if request.flag("watch") { return try self.watch(target, request, query) }
            let representation = try Representation(request)
            let page = self.service.list(info, query: query)
            return .json(representation.list(page.objects, metadata: page.metadata, info: info))
        case .POST:
            if info.isNamespaced, target.namespace == nil { throw APIFailure.methodNotAllowed() }
            let outcome = try await self.service.create(
                info,
                namespace: target.namespace,
                object: try request.document(),
                options: try WriteOptions(request)
            )
            return try self.answer(outcome, request, info)
        case .DELETE:
            let page = try await self.service.deleteCollection(
                info,
                query: try ListQuery(request, info: info, namespace: target.namespace),
                options: try DeleteOptions(request)
            )
            return .json(try Representation(request).list(page.objects, metadata: page.metadata, info: info))
        default: throw APIFailure.methodNotAllowed()
        }
    }

    private func object(_ target: Target, _ request: APIRequest) async throws -> APIResponse {
        let info = target.info
        let name = target.name ?? ""
        switch request.method {
        case .GET:
            if request.flag("watch") {
                var query = try ListQuery(request, info: info, namespace: target.namespace)
                query.fields = try FieldQuery("metadata.name=\(name)", for: info)
                return try self.watch(target, request, query)
            }
            let object = try self.service.get(info, namespace: target.namespace, name: name)
            return .json(try Representation(request).one(object, info: info))
        case .PUT, .PATCH:
            return try self.answer(try await self.write(target, name, .object, request), request, info)
        case .DELETE:
            let result = try await self.service.delete(
                info,
                namespace: target.namespace,
                name: name,
                options: try DeleteOptions(request)
            )
            return .json(result)
        default: throw APIFailure.methodNotAllowed()
        }
    }

    func write(
        _ target: Target,
        _ name: String,
        _ part: UpdateTarget,
        _ request: APIRequest
    ) async throws -> WriteOutcome {
        let options = try WriteOptions(request)
        if request.method == .PATCH {
            return try await self.service.patch(
                target.info,
                namespace: target.namespace,
                name: name,
                target: part,
                request: request,
                options: options
            )
        }
        let document = try request.document()
        return try await self.service.update(
            target.info,
            namespace: target.namespace,
            name: name,
            target: part,
            options: options
        ) { _ in document }
    }

    func answer(_ outcome: WriteOutcome, _ request: APIRequest, _ info: ResourceInfo) throws -> APIResponse {
        .json(
            try Representation(request).one(outcome.object, info: info),
            code: outcome.wasCreated ? 201 : 200,
            warnings: outcome.warnings
        )
    }

    private func watch(_ target: Target, _ request: APIRequest, _ query: ListQuery) throws -> APIResponse {
        let watch = try ResourceWatch(request, service: self.service, info: target.info, query: query)
        return APIResponse(
            code: 200,
            body: .stream(contentType: "application/json") { write in try await watch.run(write) }
        )
    }
}
