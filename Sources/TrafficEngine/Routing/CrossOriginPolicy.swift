/// Answers browsers for a route: which scripts of other origins may use it (the Fetch standard's CORS protocol).
package final class CrossOriginPolicy: Sendable {
    private let origins: [TextMatch]
    private let methods: [UInt8]
    private let headers: [UInt8]
    private let headersExposed: [UInt8]
    private let maxAge: [UInt8]
    private let allowsCredentials: Bool
    private let forwardsUnmatchedPreflights: Bool

    /// - Parameters:
    ///   - origins: any of them; an exact `*` is every origin.
    ///   - methods: as a preflight is told, like the following; empty: not told.
    ///   - headers: of requests.
    ///   - headersExposed: of answers, that scripts may read.
    ///   - maxAge: seconds that a browser may remember the answer to a preflight.
    ///   - allowsCredentials: cookies may be sent.
    ///   - forwardsUnmatchedPreflights: preflights of other origins go to the destination.
    package init(
        origins: [TextMatch],
        methods: [UInt8] = [],
        headers: [UInt8] = [],
        headersExposed: [UInt8] = [],
        maxAge: [UInt8] = [],
        allowsCredentials: Bool = false,
        forwardsUnmatchedPreflights: Bool = true
    ) {
        self.origins = origins
        self.methods = methods
        self.headers = headers
        self.headersExposed = headersExposed
        self.maxAge = maxAge
        self.allowsCredentials = allowsCredentials
        self.forwardsUnmatchedPreflights = forwardsUnmatchedPreflights
    }

    package enum OnRequest: Hashable, Sendable {
        /// Nothing is added.
        case pass
        /// The answer gets these headers.
        case mark(HeaderEdits)
        /// It is a preflight: answer 200 with these headers.
        case answer(HeaderEdits)
    }

    package func decide(_ request: RequestView) -> OnRequest {
        guard let origin = Self.value(of: Self.originName, in: request), !origin.isEmpty else { return .pass }
        let isPreflight =
            request[request.method].elementsEqual("OPTIONS".utf8)
            && !(Self.value(of: Self.requestedMethodName, in: request)?.isEmpty ?? true)
        guard self.allows(origin) else {
            return isPreflight && !self.forwardsUnmatchedPreflights ? .answer(HeaderEdits()) : .pass
        }
        var edits = HeaderEdits(set: [.init(name: Self.allowOriginName, value: Array(origin))])
        if self.allowsCredentials { edits.set.append(.init(name: Self.allowCredentialsName, value: Self.yes)) }
        guard isPreflight else {
            if !self.headersExposed.isEmpty {
                edits.set.append(.init(name: Self.exposeHeadersName, value: self.headersExposed))
            }
            return .mark(edits)
        }
        let lines = [
            (Self.allowMethodsName, self.methods), (Self.allowHeadersName, self.headers),
            (Self.maxAgeName, self.maxAge),
        ]
        for (name, value) in lines where !value.isEmpty {
            edits.set.append(.init(name: name, value: value))
        }
        return .answer(edits)
    }

    private func allows(_ origin: UnsafeRawBufferPointer) -> Bool {
        self.origins.contains { match in
            if case .exact(let text) = match, text == [UInt8(ascii: "*")] { return true }
            return match.holds(origin)
        }
    }

    private static func value(of name: [UInt8], in request: RequestView) -> UnsafeRawBufferPointer? {
        request.headers.first { request[$0.name].equals(name, ignoringCase: true) }.map { request[$0.value] }
    }

    private static let yes = Array("true".utf8)
    private static let originName = Array("origin".utf8)
    private static let requestedMethodName = Array("access-control-request-method".utf8)
    private static let allowOriginName = Array("access-control-allow-origin".utf8)
    private static let allowCredentialsName = Array("access-control-allow-credentials".utf8)
    private static let allowMethodsName = Array("access-control-allow-methods".utf8)
    private static let allowHeadersName = Array("access-control-allow-headers".utf8)
    private static let exposeHeadersName = Array("access-control-expose-headers".utf8)
    private static let maxAgeName = Array("access-control-max-age".utf8)
}
