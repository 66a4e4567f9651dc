import AsyncHTTPClient
package import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// Speaks with one API server.
///
/// Everything is bounded: the time of a request, the size of an answer, the number of connections. Failures are
/// ``KubernetesError``, cancellation is `CancellationError`. Call ``shutdown()`` when done.
package final class KubernetesClient: Sendable {
    /// Limits of a client.
    package struct Limits: Sendable {
        package var requestTime: Duration = .seconds(30)
        /// An answer, or one event of a watch, that is larger is refused.
        package var answerBytesMax = 64 << 20
        /// Objects per page of a list.
        package var pageSize = 500
        /// A watch is begun anew after this time, so that one that died silently is noticed.
        package var watchTime: Duration = .seconds(150)

        package init() {}
    }

    package let configuration: ClientConfiguration
    package let limits: Limits
    let logger: Logger
    private let http: HTTPClient
    private let baseURL: String
    private let tokens: TokenCache

    package init(configuration: ClientConfiguration, limits: Limits = Limits(), logger: Logger) throws {
        self.configuration = configuration
        self.limits = limits
        self.logger = logger
        self.tokens = TokenCache(source: configuration.token)
        var settings = HTTPClient.Configuration(tlsConfiguration: try Self.tls(configuration))
        settings.timeout.connect = .seconds(5)
        // A watch may be silent as long as it lasts; the server ends it, this is for one that does not.
        settings.timeout.read = TimeAmount(limits.watchTime + .seconds(30))
        settings.redirectConfiguration = .disallow
        // Each watch holds a connection where the server has no HTTP/2.
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        settings.connectionPool.retryConnectionEstablishment = false
        var baseURL = configuration.server
        if let name = configuration.serverName, let host = Self.host(of: baseURL), host != name {
            settings.dnsOverride = [name: host]
            baseURL = baseURL.replacing("//\(host)", with: "//\(name)", maxReplacements: 1)
        }
        self.baseURL = baseURL
        self.http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    /// Closes the connections. Requests that run fail.
    package func shutdown() async {
        do {
            try await self.http.shutdown()
        } catch {
            self.logger.debug("client already shut down", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Objects

    package func get(
        _ type: ResourceType,
        namespace: String? = nil,
        name: String
    ) async throws -> KubernetesObject {
        KubernetesObject(json: try await self.send(.GET, type.path(namespace: namespace, name: name)))
    }

    /// All objects, read page by page.
    package func list(
        _ type: ResourceType,
        namespace: String? = nil,
        labelSelector: String? = nil,
        fieldSelector: String? = nil
    ) async throws -> ObjectList {
        var list = ObjectList()
        var next: String?
        repeat {
            let query = [
                ("limit", String(self.limits.pageSize)), ("labelSelector", labelSelector),
                ("fieldSelector", fieldSelector), ("continue", next),
            ]
            let page = try await self.send(.GET, type.path(namespace: namespace), query: query)
            list.append(page: page, of: type)
            next = page[path: "metadata", "continue"]?.string
        } while next?.isEmpty == false
        return list
    }

    package func create(
        _ type: ResourceType,
        _ object: KubernetesObject,
        fieldManager: String? = nil
    ) async throws -> KubernetesObject {
        let path = type.path(namespace: object.namespace)
        let query = [("fieldManager", fieldManager)]
        return KubernetesObject(json: try await self.send(.POST, path, query: query, body: object.json))
    }

    /// Writes a whole object; fails with `isConflict` if it has changed since it was read.
    package func replace(_ type: ResourceType, _ object: KubernetesObject) async throws -> KubernetesObject {
        try await self.replace(type, object, subresource: nil)
    }

    package func replaceStatus(_ type: ResourceType, _ object: KubernetesObject) async throws -> KubernetesObject {
        try await self.replace(type, object, subresource: "status")
    }

    private func replace(
        _ type: ResourceType,
        _ object: KubernetesObject,
        subresource: String?
    ) async throws -> KubernetesObject {
        let path = type.path(namespace: object.namespace, name: object.name, subresource: subresource)
        return KubernetesObject(json: try await self.send(.PUT, path, body: object.json))
    }

    package enum Patch: Sendable {
        case merge(JSONValue)
        case json(JSONPatch)
        case strategic(JSONValue)
        /// Server-side apply; takes over fields of other managers if `force`.
        case apply(JSONValue, fieldManager: String, force: Bool)
    }

    package func patch(
        _ type: ResourceType,
        namespace: String? = nil,
        name: String,
        subresource: String? = nil,
        _ patch: Patch
    ) async throws -> KubernetesObject {
        var query: [(String, String?)] = []
        let (contentType, body): (String, JSONValue) =
            switch patch {
            case .merge(let value): ("application/merge-patch+json", value)
            case .json(let operations): ("application/json-patch+json", operations.json)
            case .strategic(let value): ("application/strategic-merge-patch+json", value)
            // JSON is YAML, so no YAML writer is needed.
            case .apply(let value, _, _): ("application/apply-patch+yaml", value)
            }
        if case .apply(_, let manager, let force) = patch {
            query = [("fieldManager", manager), ("force", force ? "true" : "false")]
        }
        let path = type.path(namespace: namespace, name: name, subresource: subresource)
        let answer = try await self.send(.PATCH, path, query: query, body: body, contentType: contentType)
        return KubernetesObject(json: answer)
    }

    /// Server-side apply of an object under its own name.
    package func apply(
        _ type: ResourceType,
        _ object: KubernetesObject,
        fieldManager: String,
        force: Bool = true
    ) async throws -> KubernetesObject {
        try await self.patch(
            type,
            namespace: object.namespace,
            name: object.name,
            .apply(object.json, fieldManager: fieldManager, force: force)
        )
    }

    /// Deletes; an object that is not there is an error (`isNotFound`).
    package func delete(
        _ type: ResourceType,
        namespace: String? = nil,
        name: String,
        gracePeriod: Duration? = nil,
        propagationPolicy: String? = nil
    ) async throws {
        var body: JSONValue = ["apiVersion": "v1", "kind": "DeleteOptions"]
        body["gracePeriodSeconds"] = gracePeriod.map { .integer($0.components.seconds) }
        body["propagationPolicy"] = propagationPolicy.map(JSONValue.string)
        _ = try await self.send(.DELETE, type.path(namespace: namespace, name: name), body: body)
    }

    // MARK: Requests

    /// Sends any request of the API and gives its JSON answer; a status of 400 or more is thrown.
    package func send(
        _ method: HTTPVerb,
        _ path: String,
        query: [(String, String?)] = [],
        body: JSONValue? = nil,
        contentType: String = "application/json"
    ) async throws -> JSONValue {
        let name = "\(method.rawValue) \(path)"
        let limits = self.limits
        return try await Self.withTimeLimit(limits.requestTime, request: name) {
            let response = try await self.open(method, path, query: query, body: body, contentType: contentType)
            let bytes: ByteBuffer
            do {
                bytes = try await response.body.collect(upTo: limits.answerBytesMax)
            } catch is NIOTooManyBytesError {
                let message = "the answer is larger than \(limits.answerBytesMax) bytes"
                throw KubernetesError(code: .tooLarge, message: message, request: name)
            } catch {
                throw Self.explain(error, request: name)
            }
            return try Self.answer(response.status, bytes, request: name, bytesMax: limits.answerBytesMax)
        }
    }

    /// Sends a request and gives the answer's head; the body is still to be read.
    func open(
        _ method: HTTPVerb,
        _ path: String,
        query: [(String, String?)],
        body: JSONValue? = nil,
        contentType: String = "application/json"
    ) async throws -> HTTPClientResponse {
        let parameters = query.compactMap { name, value in value.map { "\(name)=\(ResourceType.escape($0))" } }
        let suffix = parameters.isEmpty ? "" : "?" + parameters.joined(separator: "&")
        var request = HTTPClientRequest(url: self.baseURL + path + suffix)
        request.method = HTTPMethod(rawValue: method.rawValue)
        request.headers.add(name: "accept", value: "application/json")
        request.headers.add(name: "user-agent", value: "lateen")
        if let token = try self.tokens.current() {
            request.headers.add(name: "authorization", value: "Bearer \(token)")
        }
        if let body {
            request.headers.add(name: "content-type", value: contentType)
            request.body = .bytes(ByteBuffer(bytes: body.serialize()))
        }
        do {
            return try await self.http.execute(request, timeout: TimeAmount(self.limits.requestTime))
        } catch {
            throw Self.explain(error, request: "\(method.rawValue) \(path)")
        }
    }

    static func answer(
        _ status: HTTPResponseStatus,
        _ bytes: ByteBuffer,
        request: String,
        bytesMax: Int
    ) throws -> JSONValue {
        let json: JSONValue
        do {
            json = try JSONValue.parse(bytes.readableBytesView, bytesMax: bytesMax)
        } catch {
            let text = String(decoding: bytes.readableBytesView.prefix(200), as: UTF8.self)
            if status.code >= 400 {
                let said = Status(code: Int(status.code), reason: status.reasonPhrase, message: text)
                throw KubernetesError(code: .refused, status: said, message: "\(status): \(text)", request: request)
            }
            throw KubernetesError(code: .malformedAnswer, message: "the answer is no JSON: \(error)", request: request)
        }
        guard status.code >= 400 else { return json }
        var said = Status(json: json) ?? Status(code: 0, reason: status.reasonPhrase, message: json.text())
        if said.code == 0 { said.code = Int(status.code) }
        throw KubernetesError(code: .refused, status: said, message: said.message, request: request)
    }

    static func explain(_ error: any Error, request: String) -> any Error {
        switch error {
        case is CancellationError: return error
        case let error as KubernetesError: return error
        case let error as HTTPClientError where error == .cancelled: return CancellationError()
        case let error as HTTPClientError where [.deadlineExceeded, .readTimeout].contains(error):
            return KubernetesError(code: .timedOut, message: "no answer in time", request: request)
        case let error as HTTPClientError where error == .connectTimeout:
            return KubernetesError(code: .unreachable, message: "no connection in time", request: request)
        default: return KubernetesError(code: .unreachable, message: "\(error)", request: request)
        }
    }

    private static func withTimeLimit<T: Sendable>(
        _ limit: Duration,
        request: String,
        _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        try await withThrowingTaskGroup(of: T.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw KubernetesError(code: .timedOut, message: "no answer in \(limit)", request: request)
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }

    private static func tls(_ configuration: ClientConfiguration) throws -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        do {
            if let authorities = configuration.authorities {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authorities))
            }
            if let certificate = configuration.certificate, let key = configuration.privateKey {
                tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(certificate).map { .certificate($0) }
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
            }
        } catch {
            throw ClientConfigurationError(
                description: "\(configuration.server): certificate or key cannot be read: \(error)"
            )
        }
        if !configuration.verifiesServer { tls.certificateVerification = .none }
        return tls
    }

    private static func host(of url: String) -> String? {
        guard let scheme = url.firstIndex(of: "/") else { return nil }
        let authority = url[scheme...].drop { $0 == "/" }.prefix { $0 != "/" }
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") { return String(authority[...end]) }
        return String(authority.prefix { $0 != ":" })
    }
}

/// The methods of the API.
package enum HTTPVerb: String, Sendable { case GET, POST, PUT, PATCH, DELETE }

/// The objects of a type at one moment.
package struct ObjectList: Sendable {
    package var items: [KubernetesObject] = []
    /// Watch from here to miss nothing.
    package var resourceVersion = ""

    /// Items of a list do not repeat their kind; objects on their own do.
    mutating func append(page: JSONValue, of type: ResourceType) {
        self.resourceVersion = page[path: "metadata", "resourceVersion"]?.string ?? self.resourceVersion
        for item in page["items"]?.array ?? [] {
            var object = KubernetesObject(json: item)
            if object.kind.isEmpty { object.kind = type.kind }
            if object.apiVersion.isEmpty { object.apiVersion = type.apiVersion }
            self.items.append(object)
        }
    }
}
