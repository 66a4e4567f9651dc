internal import Foundation
package import Logging
internal import Synchronization
package import TrafficEngine

/// Verifies tokens with keys that it fetches and keeps.
///
/// A verdict is given at once where the keys are known and few of them fit; else when the keys have come and been tried,
/// by the task that ``run()`` is.
package final class TokenVerifier: TokenVerifying {
    typealias Source = TokenPolicy.Provider.Keys

    /// Gets the bytes of a key set; the time that it may take is the source's.
    package typealias Fetch = @Sendable (_ uri: String, _ timeout: Duration) async throws -> [UInt8]

    fileprivate struct Job: Sendable {
        var text: String
        var parts: TokenParts
        var policy: TokenPolicy
        /// Providers that may have issued it and are not ruled out yet.
        var candidates: [Int]
        /// Why the last one was ruled out.
        var fault: TokenFault
        /// The key was not in the set that was there; it has been fetched again.
        var hasReloaded = false
        var completion: @Sendable (TokenVerdict) -> Void
    }

    /// Signatures that one token may cost the caller's thread, which is an event loop; some tens of microseconds each.
    private static let quickTriesMax = 4
    /// Tokens that wait to be tried against many keys; more are refused.
    private static let checksMax = 1024

    private struct State {
        var book = KeyBook<Job>()
        var cache = TokenCache()
    }

    private let state = Mutex(State())
    private let fetch: Fetch
    private let logger: Logger
    private let wallSeconds: @Sendable () -> Int64
    private let uptimeMilliseconds: @Sendable () -> Int64
    private let loads: (stream: AsyncStream<Source>, continuation: AsyncStream<Source>.Continuation)
    private let checks: (stream: AsyncStream<Job>, continuation: AsyncStream<Job>.Continuation)

    /// - Parameters:
    ///   - logger: told of key sets that cannot be fetched.
    ///   - wallSeconds: seconds since 1970; `nil`: the system's.
    ///   - uptimeMilliseconds: for the age of key sets; `nil`: the system's.
    ///   - fetch: gets what an address holds.
    package init(
        logger: Logger,
        wallSeconds: (@Sendable () -> Int64)? = nil,
        uptimeMilliseconds: (@Sendable () -> Int64)? = nil,
        fetch: @escaping Fetch
    ) {
        self.logger = logger
        let start = ContinuousClock.now
        self.wallSeconds = wallSeconds ?? { Int64(Date().timeIntervalSince1970) }
        self.uptimeMilliseconds =
            uptimeMilliseconds ?? {
                let elapsed = (ContinuousClock.now - start).components
                return elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
            }
        self.fetch = fetch
        // One fetch at a time for each source bounds it; the limit is that of sources.
        self.loads = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(KeyBook<Job>.sourcesMax))
        self.checks = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.checksMax))
    }

    /// Fetches keys as they are asked for, and tries tokens against many keys, until it is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.check() }
            for await source in self.loads.stream { group.addTask { await self.load(source) } }
            group.cancelAll()
        }
    }

    /// One after the other, so that strangers' tokens keep one thread busy at most.
    private func check() async {
        for await job in self.checks.stream {
            if let verdict = self.attempt(job, triesMax: .max) { job.completion(verdict) }
        }
    }

    package func verify(
        _ token: PresentedToken,
        policy: TokenPolicy,
        completion: @escaping @Sendable (TokenVerdict) -> Void
    ) -> TokenVerdict? {
        let now = self.wallSeconds()
        let cached = self.state.withLock {
            $0.cache.token(token.text, policy: policy, candidates: token.providers, now: now)
        }
        if let cached { return .verified(cached) }
        let parts: TokenParts
        do throws(TokenRefusal) { parts = try TokenParts(token.text) } catch { return .refused(error.fault) }
        let candidates = token.providers.filter {
            let issuer = policy.providers[$0].issuer
            return issuer.isEmpty || issuer == parts.issuer
        }
        let job = Job(
            text: token.text,
            parts: parts,
            policy: policy,
            candidates: candidates,
            fault: .unknownIssuer,
            completion: completion
        )
        return self.attempt(job, triesMax: Self.quickTriesMax)
    }

    /// Goes through the providers; `nil`: it waits for keys, or, if more than `triesMax` are to be tried, for its turn.
    private func attempt(_ start: Job, triesMax: Int) -> TokenVerdict? {
        var job = start
        var triesLeft = triesMax
        while let index = job.candidates.first {
            let provider = job.policy.providers[index]
            if let fault = job.parts.fault(for: provider, now: self.wallSeconds()) {
                job.ruleOut(fault)
                continue
            }
            switch self.keys(provider.keys, isMissing: false, job) {
            case .wait: return nil
            case .refuse(let fault): job.ruleOut(fault)
            case .use(let keys, _):
                triesLeft -= keys.tryCount(job.parts, max: triesMax)
                if triesLeft < 0 { return self.postpone(job) }
                switch keys.fault(job.parts) {
                case nil: return .verified(self.accept(job, provider, index))
                case .noKey? where !job.hasReloaded:
                    job.hasReloaded = true
                    switch self.keys(provider.keys, isMissing: true, job) {
                    case .wait: return nil
                    case .refuse(let fault): job.ruleOut(fault)
                    case .use: job.ruleOut(.noKey)
                    }
                case .some(let fault): job.ruleOut(fault)
                }
            }
        }
        return .refused(job.fault)
    }

    private func postpone(_ job: Job) -> TokenVerdict? {
        switch self.checks.continuation.yield(job) {
        case .enqueued: nil
        case .dropped, .terminated: .refused(.overloaded)
        @unknown default: .refused(.overloaded)
        }
    }

    private func keys(_ source: Source, isMissing: Bool, _ job: Job) -> KeyBook<Job>.OnAsk {
        let now = self.uptimeMilliseconds()
        let answer = self.state.withLock { $0.book.ask(source, now: now, isMissing: isMissing, job) }
        switch answer {
        case .use(_, let reloads): if reloads { self.request(source) }
        case .wait(let loads): if loads { self.request(source) }
        case .refuse: ()
        }
        return answer
    }

    private func request(_ source: Source) {
        guard case .dropped = self.loads.continuation.yield(source) else { return }
        self.finish(source, .failure(TokenRefusal(.overloaded)), triesMax: Self.quickTriesMax)
    }

    private func accept(_ job: Job, _ provider: TokenPolicy.Provider, _ index: Int) -> VerifiedToken {
        let token = VerifiedToken(
            provider: index,
            issuer: job.parts.issuer,
            subject: job.parts.claims.text("sub") ?? "",
            expires: job.parts.claims.seconds("exp") ?? nil,
            claims: job.parts.claims.splittingSpaces(in: provider.spaceDelimitedClaims),
            payload: job.parts.payload
        )
        let now = self.wallSeconds()
        self.state.withLock { $0.cache.insert(job.text, provider, token, now: now) }
        return token
    }

    // MARK: Keys

    private func load(_ source: Source) async {
        let result: Result<KeySet, TokenRefusal>
        switch source {
        case .inline(let json):
            result = await KeySet(json: Array(json.utf8)).map(Result.success) ?? .failure(TokenRefusal(.badKeys))
        case .remote(let uri, _, let timeout, _): result = await self.fetchKeys(uri, timeout)
        }
        self.finish(source, result, triesMax: .max)
    }

    private func finish(_ source: Source, _ result: Result<KeySet, TokenRefusal>, triesMax: Int) {
        let now = self.uptimeMilliseconds()
        let waiters = self.state.withLock { $0.book.loaded(source, result, now: now) }
        for job in waiters {
            if let verdict = self.attempt(job, triesMax: triesMax) { job.completion(verdict) }
        }
    }

    private func fetchKeys(_ uri: String, _ timeout: Duration) async -> Result<KeySet, TokenRefusal> {
        do {
            var bytes = try await self.fetch(uri, timeout)
            // An OpenID document says where the keys are (OpenID Connect Discovery section 3).
            if let next = ClaimJSON.object(bytes)?.text("jwks_uri") { bytes = try await self.fetch(next, timeout) }
            if let keys = await KeySet(json: bytes) { return .success(keys) }
            self.logger.warning("address holds no key set", metadata: ["uri": "\(uri)"])
            return .failure(TokenRefusal(.badKeys))
        } catch {
            self.logger.warning(
                "keys of an issuer cannot be fetched, the last good ones stay",
                metadata: ["uri": "\(uri)", "reason": "\(error)"]
            )
            return .failure(TokenRefusal(.fetchFailed))
        }
    }
}

extension TokenVerifier.Job {
    /// The provider is not the one; tries the next.
    fileprivate mutating func ruleOut(_ fault: TokenFault) {
        self.candidates.removeFirst()
        self.fault = fault
        self.hasReloaded = false
    }
}
