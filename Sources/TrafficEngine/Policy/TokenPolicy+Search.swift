internal import MeshModel

/// A token as a request presents it.
package struct PresentedToken: Hashable, Sendable {
    package var text: String
    /// Where it stands, in lower case, so that it can be taken out; `nil`: in the query or a cookie.
    package var header: [UInt8]?
    /// Providers that look in this place, as indices.
    package var providers: [Int]

    package init(text: String, header: [UInt8]?, providers: [Int]) {
        self.text = text
        self.header = header
        self.providers = providers
    }
}

extension TokenPolicy {
    /// Each token costs a check: a request with more is refused.
    package static let tokensMax = 8

    /// All tokens of a request, in the order of the providers; `nil`: more than `tokensMax`.
    package func tokens(in request: RequestView) -> [PresentedToken]? {
        var search = TokenSearch(request: request)
        for (index, provider) in self.providers.enumerated() {
            let isDefault =
                provider.fromHeaders.isEmpty && provider.fromParameters.isEmpty && provider.fromCookies.isEmpty
            if isDefault {
                search.addHeaders(named: "authorization", prefix: "Bearer ", for: index)
                // RFC 6750 section 2.3; Envoy looks there, too.
                search.addParameters(named: "access_token", for: index)
            }
            for header in provider.fromHeaders {
                search.addHeaders(named: header.name.lowercased(), prefix: header.prefix, for: index)
            }
            for name in provider.fromParameters { search.addParameters(named: name, for: index) }
            for name in provider.fromCookies { search.addCookies(named: name, for: index) }
        }
        return search.tokens.count > Self.tokensMax ? nil : search.tokens
    }

    /// Headers that the proxy writes from tokens, in lower case: what a client sends under these names is a lie.
    package var writtenHeaders: [[UInt8]] {
        self.providers.flatMap { provider in
            (provider.claimHeaders.map(\.header) + [provider.payloadHeader].compactMap { $0 })
                .map { Array($0.lowercased().utf8) }
        }
    }
}

private struct TokenSearch {
    let request: RequestView
    var tokens: [PresentedToken] = []

    mutating func addHeaders(named name: String, prefix: String, for provider: Int) {
        let name = Array(name.utf8)
        let prefix = Array(prefix.utf8)
        for field in self.request.headers where self.request[field.name].equals(name, ignoringCase: true) {
            let value = self.request[field.value]
            // RFC 9110 section 11.1: a scheme's name has no case.
            guard value.holds(prefix, at: 0, ignoringCase: true) else { continue }
            self.add(value.slice(prefix.count, value.count), header: name, provider)
        }
    }

    mutating func addParameters(named name: String, for provider: Int) {
        let target = self.request[self.request.target]
        guard let question = target.position(of: UInt8(ascii: "?")) else { return }
        let query = target.slice(question + 1, target.count)
        self.addPairs(query, separator: UInt8(ascii: "&"), name: Array(name.utf8), provider)
    }

    mutating func addCookies(named name: String, for provider: Int) {
        let cookie = Array("cookie".utf8)
        for field in self.request.headers where self.request[field.name].equals(cookie, ignoringCase: true) {
            let value = self.request[field.value]
            self.addPairs(value, separator: UInt8(ascii: ";"), name: Array(name.utf8), provider)
        }
    }

    private mutating func addPairs(_ text: UnsafeRawBufferPointer, separator: UInt8, name: [UInt8], _ provider: Int) {
        for pair in text.split(separator: separator) {
            let pair = UnsafeRawBufferPointer(rebasing: pair)
            let start = pair.firstIndex { $0 != UInt8(ascii: " ") } ?? pair.count
            guard let equals = pair.position(of: UInt8(ascii: "=")), equals >= start,
                pair.slice(start, equals).equals(name)
            else { continue }
            self.add(pair.slice(equals + 1, pair.count), header: nil, provider)
        }
    }

    private mutating func add(_ bytes: UnsafeRawBufferPointer, header: [UInt8]?, _ provider: Int) {
        guard let start = bytes.firstIndex(where: { $0 != UInt8(ascii: " ") }) else { return }
        let text = String(decoding: bytes.slice(start, bytes.count), as: UTF8.self)
        if let index = self.tokens.firstIndex(where: { $0.text == text && $0.header == header }) {
            if !self.tokens[index].providers.contains(provider) { self.tokens[index].providers.append(provider) }
        } else if self.tokens.count <= TokenPolicy.tokensMax {
            self.tokens.append(PresentedToken(text: text, header: header, providers: [provider]))
        }
    }
}
