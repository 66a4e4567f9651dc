package import DNSWire
package import MeshModel
package import NIOCore

/// Asks other servers and keeps their answers: for the DNS server, what is in no table; for the proxy, the addresses of
/// DNS clusters. Both share one cache.
///
/// Equal questions at the same time are asked once. Everything happens on one event loop.
package final class DNSForwarder: Sendable {
    package let eventLoop: any EventLoop
    /// Sockets with which others are being asked.
    let ownSockets: OwnSockets
    /// Answers that others may give without asking here.
    let known: KnownAnswers
    private let core: NIOLoopBoundBox<ForwarderCore>

    /// Puts TLS into a channel to a server whose certificate must be for this name or address. It is handed in, so that
    /// this room needs no TLS library.
    package typealias SecureChannel = @Sendable (any Channel, String) throws -> Void

    /// - Parameters:
    ///   - eventLoop: where everything happens.
    ///   - upstreams: the servers to ask until `update`.
    ///   - options: limits of the cache, and more.
    ///   - secure: puts TLS into channels; without it servers that want it are as if they were not there.
    package init(
        eventLoop: any EventLoop,
        upstreams: DNSUpstreams,
        options: Resolver.Options = Resolver.Options(),
        secure: SecureChannel? = nil
    ) {
        self.eventLoop = eventLoop
        let core = ForwarderCore(eventLoop: eventLoop, upstreams: upstreams, options: options, secure: secure)
        self.ownSockets = core.ownSockets
        self.known = core.known
        self.core = NIOLoopBoundBox.makeBoxSendingValue(core, eventLoop: eventLoop)
    }

    /// Sends new questions to these servers when the call returns; those under way stay with theirs.
    package func update(_ upstreams: DNSUpstreams) async {
        // A loop that is gone asks nobody.
        try? await self.eventLoop.submit { self.core.value.update(upstreams) }.get()
    }

    /// Who is asked, in this order.
    package func servers() async -> [DNSUpstream] {
        // A loop that is gone asks nobody.
        (try? await self.eventLoop.submit { self.core.value.servers }.get()) ?? []
    }

    /// What has been done so far.
    package func statistics() async -> DNSStatistics {
        // A loop that is gone counts nothing.
        (try? await self.eventLoop.submit { self.core.value.statistics }.get()) ?? DNSStatistics()
    }

    /// Fails everything that is under way and all that comes later.
    package func stop() async {
        // A loop that is gone has nothing under way.
        try? await self.eventLoop.submit { self.core.value.stop() }.get()
    }

    /// For handlers on the same loop.
    func withCore<Value>(_ body: (ForwarderCore) -> Value) -> Value { body(self.core.value) }

    /// The addresses of a name and how long they may be kept.
    package struct Addresses: Hashable, Sendable {
        package var addresses: [IPAddress]
        /// The shortest of all records on the way, aliases included (facts #21).
        package var ttl: Duration

        package init(addresses: [IPAddress], ttl: Duration) {
            self.addresses = addresses
            self.ttl = ttl
        }
    }

    /// Why a name has no addresses.
    package enum LookupError: Error, Hashable {
        /// The text is no domain name.
        case badName
        /// There is no such name, or it has no address; true for this long.
        case notFound(ttl: Duration)
        /// No server answered; what was known before is still the best.
        case failed
    }

    /// Looks up both families at once. The name is taken as whole: no search domain is tried.
    package func addresses(of name: String) async throws(LookupError) -> Addresses {
        if let address = IPAddress(name) { return Addresses(addresses: [address], ttl: .seconds(86_400)) }
        guard let name = DNSName(name) else { throw .badName }
        async let v4 = self.lookup(name, .a)
        async let v6 = self.lookup(name, .aaaa)
        switch (await v4, await v6) {
        case (.success(let four), .success(let six)):
            return Addresses(addresses: four.addresses + six.addresses, ttl: min(four.ttl, six.ttl))
        case (.success(let found), .failure), (.failure, .success(let found)): return found
        case (.failure(.notFound(let four)), .failure(.notFound(let six))): throw .notFound(ttl: min(four, six))
        case (.failure, .failure): throw .failed
        }
    }

    /// Aliases that are followed by asking again, if an answer ends in one.
    private static let aliasesMax = 8

    private func lookup(_ name: DNSName, _ type: DNSType) async -> Result<Addresses, LookupError> {
        var name = name
        var ttl = UInt32.max
        for _ in 0..<Self.aliasesMax {
            guard let message = await self.ask(DNSQuestion(name: name, type: type)) else { return .failure(.failed) }
            let chain = AliasChain(message, from: name, type)
            ttl = min(ttl, chain.ttl)
            if !chain.addresses.isEmpty {
                return .success(Addresses(addresses: chain.addresses, ttl: .seconds(Int64(ttl))))
            }
            if chain.end == name { return .failure(.notFound(ttl: .seconds(Int64(min(ttl, chain.negativeTTL))))) }
            name = chain.end
        }
        return .failure(.notFound(ttl: .seconds(Int64(DNSTable.negativeTTL))))
    }

    /// The whole answer to a question; `nil` if nobody answered.
    package func ask(_ question: DNSQuestion) async -> DNSMessage? {
        await withCheckedContinuation { continuation in
            self.eventLoop.execute {
                let query = DNSQuery(
                    header: DNSHeader(id: 0, flags: 0x0100),
                    question: question,
                    edns: DNSExtension(payloadMax: DNSRequest.payloadMax)
                )
                self.core.value.forward(query) { result in
                    switch result {
                    case .answer(let answer): continuation.resume(returning: answer.message)
                    case .failed: continuation.resume(returning: nil)
                    }
                }
            }
        }
    }
}
