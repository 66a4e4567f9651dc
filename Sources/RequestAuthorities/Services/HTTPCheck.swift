internal import AsyncHTTPClient
internal import MeshModel
internal import NIOCore
internal import NIOHTTP1
internal import TrafficEngine

/// Asks a service over plain HTTP: the request's head without its body; 200 means yes.
struct HTTPCheck {
    let client: HTTPClient

    func ask(
        _ question: AuthorizationQuestion,
        _ provider: AuthorizationProvider,
        pathPrefix: String,
        at address: NetworkAddress,
        until deadline: ContinuousClock.Instant
    ) async throws -> AuthorizationAnswer {
        guard let asked = question.request else { return .failed("a service over HTTP knows requests only") }
        var request = HTTPClientRequest(url: "http://\(address)\(pathPrefix)\(asked.path)")
        request.method = HTTPMethod(rawValue: asked.method)
        request.headers.add(name: "host", value: asked.host)
        // What Envoy always tells, and what the provider wants.
        let wanted = HeaderPatterns(patterns: provider.headersToCheck + ["authorization"])
        for header in asked.headers
        where wanted.contains(header.name) && header.name != "host" && HeaderChecks.name(header.name) != nil {
            request.headers.add(name: header.name, value: header.value)
        }
        let response = try await self.client.execute(request, timeout: TimeAmount(deadline - ContinuousClock.now))
        let answer = Self.answer(Int(response.status.code), response.headers, provider)
        let body = await Self.body(of: response, until: deadline)
        guard case .denied(let status, _, let headers) = answer else { return answer }
        return .denied(status: status, body: body, headers: headers)
    }

    /// As much of the body as clients are told, and as comes in time. The status has decided, so a body that is longer,
    /// late or broken off does not change the answer.
    private static func body(of response: HTTPClientResponse, until deadline: ContinuousClock.Instant) async -> [UInt8]
    {
        await withTaskGroup(of: [UInt8]?.self) { group in
            group.addTask { await Self.body(of: response) }
            group.addTask {
                // Cancelled once the body is there.
                do { try await ContinuousClock().sleep(until: deadline) } catch { return nil }
                return nil
            }
            var body: [UInt8] = []
            for await part in group {
                body = part ?? body
                group.cancelAll()
            }
            return body
        }
    }

    private static func body(of response: HTTPClientResponse) async -> [UInt8] {
        var body: [UInt8] = []
        do {
            for try await part in response.body {
                body += part.readableBytesView.prefix(CheckMessages.bodyBytesMax - body.count)
                if body.count == CheckMessages.bodyBytesMax { break }
            }
        } catch {
            return body
        }
        return body
    }

    /// What a status and headers say; a refusal's body is not known yet.
    static func answer(
        _ status: Int,
        _ headers: HTTPHeaders,
        _ provider: AuthorizationProvider
    ) -> AuthorizationAnswer {
        // A service in trouble has not decided anything.
        if status >= 500 { return .failed("the service answers \(status)") }
        if status == 200 {
            let wanted = HeaderPatterns(patterns: provider.headersToUpstream)
            // The answer's own body is not the request's.
            let edits = Self.edits(headers) { wanted.contains($0) && $0 != "content-type" }
            return .allowed(requestHeaders: edits, responseHeaders: HeaderEdits())
        }
        // Without a list the client gets all headers; some it gets always, as from Envoy.
        let wanted = HeaderPatterns(
            patterns: provider.headersToDownstream.isEmpty
                ? ["*"] : provider.headersToDownstream + ["www-authenticate", "location"]
        )
        return .denied(status: status, body: [], headers: Self.edits(headers) { wanted.contains($0) })
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
