import AsyncHTTPClient
import HTTPTypes
import Hummingbird
import Logging
import MeshModel
import NIOCore
import NIOHTTP1
import NIOPosix
import Serverless

/// Passes requests on to pods of their revisions, once the activator has a place for them.
struct ActivatorProxy: Sendable {
    let activator: ActivatorService
    let http: HTTPClient
    let logger: Logger

    /// Between two hops only (RFC 9110 section 7.6.1).
    private static let hopHeaders: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    ]
    private static let revisionHeader = "knative-serving-revision"
    private static let namespaceHeader = "knative-serving-namespace"
    /// What Envoy says about the time that a request has left. Lateen's own proxies do not: the revision's time is theirs.
    private static let timeHeader = "x-envoy-expected-rq-timeout-ms"
    /// Knative's: tells a pod's proxy that the request has been reported, here and nowhere else.
    private static let reportedHeader = (name: "k-proxy-request", value: "activator")
    /// Requests that no pod has taken are tried elsewhere, so often.
    private static let attemptsMax = 20

    func respond(to request: Request, _ context: ActivatorContext) async -> Response {
        guard let revision = Self.revision(request) else {
            return Self.refusal(
                .notFound,
                "no \(Self.revisionHeader) and \(Self.namespaceHeader) in the request; does its route set them?"
            )
        }
        guard let client = await context.presence else { return Self.nobody }
        let limit = self.activator.timeLimit(of: revision)
        let visit = Visit(
            request: request,
            client: client,
            limit: Self.time(request).map { min($0, limit) } ?? limit
        )
        for _ in 0..<Self.attemptsMax {
            do throws(ActivatorService.Refusal) {
                let lease = try await self.activator.lease(for: revision, client: client, wait: visit.timeLeft)
                if let response = await self.forward(visit, to: lease) { return visit.body.ending(response) }
            } catch {
                return visit.body.ending(Self.answer(to: error, revision))
            }
        }
        return visit.body.ending(
            Self.refusal(.serviceUnavailable, "no pod of \(revision) takes connections", retryAfter: 1)
        )
    }

    /// A request while it is here.
    private struct Visit: Sendable {
        let request: Request
        let client: ClientPresence
        let start = ContinuousClock.now
        let limit: Duration
        let body: ForwardedBody

        init(request: Request, client: ClientPresence, limit: Duration) {
            self.request = request
            self.client = client
            self.limit = limit
            self.body = ForwardedBody(request.body)
        }

        var age: Duration { self.start.duration(to: .now) }
        var timeLeft: Duration { max(.zero, self.limit - self.age) }
    }

    private static func revision(_ request: Request) -> ObjectID? {
        guard let name = Self.header(revisionHeader, request), let namespace = Self.header(namespaceHeader, request),
            !name.isEmpty, !namespace.isEmpty
        else { return nil }
        return ObjectID(namespace: namespace, name: name)
    }

    private static func header(_ name: String, _ request: Request) -> String? {
        request.headers.first { $0.name.canonicalName == name }?.value
    }

    private static func time(_ request: Request) -> Duration? {
        guard let text = Self.header(Self.timeHeader, request), let milliseconds = Int(text), milliseconds > 0 else {
            return nil
        }
        return .milliseconds(min(milliseconds, 86_400_000))
    }

    private static func answer(to refusal: ActivatorService.Refusal, _ revision: ObjectID) -> Response {
        switch refusal {
        case .full: Self.refusal(.serviceUnavailable, "pending request queue full for \(revision)", retryAfter: 1)
        case .expired: Self.refusal(.gatewayTimeout, "no pod of \(revision) had room in time")
        case .unknownRevision: Self.refusal(.notFound, "no revision \(revision)")
        case .gone: Self.refusal(.notFound, "revision \(revision) was deleted")
        case .clientLeft: Self.nobody
        }
    }

    /// For a client that is not there to read it.
    private static var nobody: Response { Self.refusal(.serviceUnavailable, "the client has left") }

    private static func refusal(_ status: HTTPResponse.Status, _ text: String, retryAfter: Int? = nil) -> Response {
        var response = Response(
            status: status,
            headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n"))
        )
        if let retryAfter { response.headers[.retryAfter] = String(retryAfter) }
        return response
    }

    /// `nil` if the request may go to another pod.
    private func forward(_ visit: Visit, to lease: ActivatorService.Lease) async -> Response? {
        let request = visit.request
        let waited = visit.age
        var outgoing = HTTPClientRequest(url: "http://\(lease.address)\(request.head.path ?? "/")")
        outgoing.method = HTTPMethod(rawValue: request.method.rawValue)
        for field in request.headers where !Self.hopHeaders.contains(field.name.canonicalName) {
            outgoing.headers.add(name: field.name.rawName, value: field.value)
        }
        outgoing.headers.replaceOrAdd(name: Self.reportedHeader.name, value: Self.reportedHeader.value)
        if let host = request.head.authority { outgoing.headers.replaceOrAdd(name: "host", value: host) }
        let length = Self.header("content-length", request).flatMap { Int64($0) }
        if let length, length > 0 {
            outgoing.headers.remove(name: "content-length")
            outgoing.body = .stream(visit.body.handedOver(), length: .known(length))
        } else if length == nil, Self.header("transfer-encoding", request) != nil {
            outgoing.body = .stream(visit.body.handedOver(), length: .unknown)
        }
        let start = ContinuousClock.now
        let limit = visit.timeLeft
        do {
            let response = try await visit.client.whileThere(limit: limit) { [http = self.http, outgoing] in
                try await http.execute(outgoing, timeout: TimeAmount(limit))
            }
            return Self.response(response, to: visit, lease: lease, waited: waited)
        } catch ClientPresence.GivenUp.clientLeft {
            return Self.nobody
        } catch ClientPresence.GivenUp.late {
            return Self.late(lease)
        } catch let error as HTTPClientError where error == .deadlineExceeded {
            return Self.late(lease)
        } catch {
            let failure = Self.failure(error, elapsed: start.duration(to: .now))
            if failure != .other { self.activator.refused(by: lease.address) }
            if failure.allowsRepetition(method: request.method.rawValue, hasBody: outgoing.body != nil) { return nil }
            self.logger.debug("pod did not answer", metadata: ["pod": "\(lease.address)", "error": "\(error)"])
            return Self.refusal(.badGateway, "the pod \(lease.address) ended the request without an answer")
        }
    }

    private static func late(_ lease: ActivatorService.Lease) -> Response {
        Self.refusal(.gatewayTimeout, "the pod \(lease.address) did not answer in time")
    }

    private static func failure(_ error: any Error, elapsed: Duration) -> ForwardFailure {
        switch error {
        case is NIOConnectionError: .notConnected
        case let error as IOError: ForwardFailure(errno: error.errnoCode, elapsed: elapsed)
        case let error as HTTPClientError where error == .connectTimeout: .notConnected
        case let error as HTTPClientError where error == .remoteConnectionClosed: .connectionEnded
        default: .other
        }
    }

    private static func response(
        _ response: HTTPClientResponse,
        to visit: Visit,
        lease: ActivatorService.Lease,
        waited: Duration
    ) -> Response {
        var headers = HTTPFields()
        for (name, value) in response.headers where !Self.hopHeaders.contains(name.lowercased()) {
            guard let name = HTTPField.Name(name) else { continue }
            headers.append(HTTPField(name: name, value: value))
        }
        // How long the request waited for a pod: the cold start, as its client felt it.
        if let name = HTTPField.Name("x-lateen-activation-ms") {
            headers[name] = String(Int((waited.inSeconds * 1000).rounded()))
        }
        let length = response.headers.first(name: "content-length").flatMap { Int($0) }
        headers[.contentLength] = nil
        let body = ResponseBody(contentLength: length) { writer in
            let target = SoleWriter(writer)
            // What has not ended by then ends with its connection: its status has been said.
            try await visit.client.whileThere(limit: visit.timeLeft) {
                var writer = target.writer
                for try await chunk in response.body { try await writer.write(chunk) }
                try await writer.finish(nil)
            }
            // Its place in the pod is taken until the last byte.
            withExtendedLifetime(lease) {}
        }
        return Response(status: .init(code: Int(response.status.code)), headers: headers, body: body)
    }
}

/// What an answer is written to, on its way to the task that writes.
private struct SoleWriter: @unchecked Sendable {  // one task uses it, and who has made it waits for that
    let writer: any ResponseBodyWriter

    init(_ writer: any ResponseBodyWriter) { self.writer = writer }
}
