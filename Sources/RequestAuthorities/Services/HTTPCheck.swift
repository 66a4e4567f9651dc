internal import MeshModel
internal import NIOHTTP1
internal import TrafficEngine

/// What is asked and answered over HTTP: the request's head, and its body where the provider wants it; 200 means yes.
enum HTTPCheck {
    /// Tells a service whether it sees all of a body (Envoy).
    static let partialBodyHeader = "x-envoy-auth-partial-body"

    static func head(
        _ asked: AuthorizationQuestion.Request,
        _ provider: AuthorizationProvider,
        pathPrefix: String
    ) -> HTTPRequestHead {
        var headers = HTTPHeaders([("host", asked.host)])
        // What Envoy always tells, and what the provider wants.
        let wanted = HeaderPatterns(patterns: provider.headersToCheck + ["authorization"])
        for header in asked.headers where wanted.contains(header.name) && HeaderChecks.name(header.name) != nil {
            headers.add(name: header.name, value: header.value)
        }
        headers.add(name: "content-length", value: "\(asked.body?.bytes.count ?? 0)")
        if let body = asked.body { headers.add(name: Self.partialBodyHeader, value: body.isPartial ? "true" : "false") }
        let method = HTTPMethod(rawValue: asked.method)
        return HTTPRequestHead(version: .http1_1, method: method, uri: pathPrefix + asked.path, headers: headers)
    }

    static func answer(_ reply: HTTPReply, _ provider: AuthorizationProvider) -> AuthorizationAnswer {
        // A service in trouble has not decided anything.
        if reply.status >= 500 { return .failed("the service answers \(reply.status)") }
        if reply.status == 200 {
            let wanted = HeaderPatterns(patterns: provider.headersToUpstream)
            // The answer's own body is not the request's.
            let edits = Self.edits(reply.headers) { wanted.contains($0) && $0 != "content-type" }
            return .allowed(requestHeaders: edits, responseHeaders: HeaderEdits())
        }
        // Without a list the client gets all headers; some it gets always, as from Envoy.
        let wanted = HeaderPatterns(
            patterns: provider.headersToDownstream.isEmpty
                ? ["*"] : provider.headersToDownstream + ["www-authenticate", "location"]
        )
        let edits = Self.edits(reply.headers) { wanted.contains($0) }
        return .denied(status: reply.status, body: reply.body, headers: edits)
    }

    private static let own: Set<String> = ["date", "server"]

    private static func edits(_ headers: HTTPHeaders, _ isWanted: (String) -> Bool) -> HeaderEdits {
        var edits = HeaderEdits()
        var seen: Set<String> = []
        for (name, value) in headers {
            let name = name.lowercased()
            guard isWanted(name), !Self.own.contains(name), let entry = HeaderChecks.entry(name, value.utf8) else {
                continue
            }
            if seen.insert(name).inserted { edits.set.append(entry) } else { edits.add.append(entry) }
        }
        return edits
    }
}
