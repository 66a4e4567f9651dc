package import CertificateAuthority
import Foundation
package import KubernetesAPI
package import Logging
import Synchronization
import X509

/// Finds or makes the mesh's authority, keeps it in Secrets, and replaces its root when a new one is plugged in or the
/// old one nears its end.
///
/// Any number of replicas may do this at once: what they write is guarded by the objects' versions, and who loses reads
/// what the other wrote.
package final class AuthorityKeeper: Sendable {
    package struct Settings: Sendable {
        /// The namespace of the Secrets.
        package var namespace = "istio-system"
        package var policy = IssuancePolicy()
        /// The key of roots that are made here.
        package var rootKey = SigningKeyKind.ecdsaP256
        package var rootLifetime = Duration.seconds(10 * 365 * 86_400)
        package var rotation = RootRotation.Settings()
        /// How often time is looked at; rotations are measured in minutes.
        package var tick = Duration.seconds(15)

        package init() {}
    }

    private struct State {
        var pluggedIn: KubernetesObject?
        var own: KubernetesObject?
        /// Which of the two have been looked for.
        var unsynced = 2
        var rotation: RootRotation?
        /// The Secret with the rotation's state, as last read or written.
        var kept: KubernetesObject?
        /// What was complained about in the round before, and in this one: the same again is no news.
        var known: Set<String> = []
        var complaints: Set<String> = []
    }

    private let client: KubernetesClient
    private let settings: Settings
    private let current: CurrentAuthority
    private let statistics: AuthorityStatistics
    private let logger: Logger
    private let isDistributed: @Sendable (String) -> Bool
    private let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// Sets up a keeper.
    ///
    /// - Parameters:
    ///   - client: for the Secrets.
    ///   - settings: what is made and granted.
    ///   - current: is told of the authority in use.
    ///   - statistics: is told when the authority ends.
    ///   - isDistributed: whether every namespace has a bundle of roots.
    ///   - logger: for what the operator should know; never gets keys.
    package init(
        client: KubernetesClient,
        settings: Settings,
        current: CurrentAuthority,
        statistics: AuthorityStatistics,
        isDistributed: @escaping @Sendable (String) -> Bool,
        logger: Logger
    ) {
        self.client = client
        self.settings = settings
        self.current = current
        self.statistics = statistics
        self.isDistributed = isDistributed
        self.logger = logger
        (self.signals, self.signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Runs until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.follow(AuthoritySecrets.pluggedIn) { $0.pluggedIn = $1 } }
            group.addTask { await self.follow(AuthoritySecrets.own) { $0.own = $1 } }
            group.addTask {
                while !Task.isCancelled {
                    do { try await Task.sleep(for: self.settings.tick) } catch { return }
                    self.signal.yield()
                }
            }
            group.addTask { await self.work() }
            await group.waitForAll()
        }
    }

    private func follow(
        _ name: String,
        _ store: @escaping @Sendable (inout State, KubernetesObject?) -> Void
    ) async {
        await self.client.reflect(
            .secrets,
            namespace: self.settings.namespace,
            fieldSelector: "metadata.name=\(name)",
            onSynced: {
                self.state.withLock { $0.unsynced -= 1 }
                self.signal.yield()
            },
            onChange: { change in
                let object: KubernetesObject? =
                    switch change {
                    case .replacedAll(let objects): objects.first { $0.name == name }
                    case .added(let object), .modified(let object): object
                    case .deleted: nil
                    }
                self.state.withLock { store(&$0, object) }
                self.signal.yield()
            }
        )
    }

    private func work() async {
        var backOff = BackOff(base: .milliseconds(100), max: .seconds(10), seed: UInt64.random(in: .min ... .max))
        for await _ in self.signals {
            guard self.state.withLock({ $0.unsynced <= 0 }) else { continue }
            do {
                try await self.reconcile(now: Date())
                backOff.reset()
                self.endRound()
            } catch {
                if Task.isCancelled { return }
                self.complain("the authority cannot be brought up to date, trying again", error)
                self.endRound()
                do { try await Task.sleep(for: backOff.next()) } catch { return }
                self.signal.yield()
            }
        }
    }

    /// Brings the authority in use and the kept state in line with the Secrets and the time.
    private func reconcile(now: Date) async throws {
        if self.state.withLock({ $0.rotation == nil }) { try await self.readState() }
        let wanted = try await self.wanted(now: now)
        var rotation =
            self.state.withLock(\.rotation)
            ?? RootRotation(state: RootRotation.State(signer: wanted), settings: self.settings.rotation)
        switch try rotation.wanted(wanted, now: now) {
        case .unchanged: ()
        case .signs: self.logger.info("certificates are signed by another authority of a trusted root")
        case .announced:
            if rotation.state.announced?.since == now {
                self.logger.info("new root announced; it signs when every workload trusts it")
            }
        }
        if try rotation.advance(now: now, isDistributed: self.isDistributed(try rotation.bundle)) == .changed {
            let count = try rotation.trusted.count
            self.logger.info("roots changed", metadata: ["trusted": "\(count)"])
        }
        let authority = try self.authority(of: &rotation, wanted: wanted, now: now)
        // First kept, then used: a root that signed must never be forgotten.
        try await self.keep(rotation)
        self.use(authority, bundle: try rotation.bundle)
    }

    /// The authority that signs now.
    private func authority(
        of rotation: inout RootRotation,
        wanted: AuthorityFiles,
        now: Date
    ) throws -> CertificateAuthority {
        let policy = self.settings.policy
        do {
            return try CertificateAuthority(files: rotation.signer, policy: policy, now: now)
        } catch {
            if rotation.signer == wanted { throw error }
            // The old one is of no use any more, so there is nothing to wait for.
            self.complain("the old authority cannot sign any more, the new one does at once", error)
        }
        try rotation.signNow(now: now)
        return try CertificateAuthority(files: rotation.signer, policy: policy, now: now)
    }

    private func use(_ authority: CertificateAuthority, bundle: String) {
        self.statistics.count {
            $0.rootEnds = authority.root.notValidAfter
            $0.chainEnds = authority.notAfter
        }
        if let present = self.current.present, present.bundle == bundle,
            present.authority.signer == authority.signer
        {
            return
        }
        self.current.update(CurrentAuthority.Present(authority: authority, bundle: bundle))
        self.logger.info(
            "authority in use",
            metadata: ["signer": "\(authority.signer.subject)", "ends": "\(authority.notAfter)"]
        )
    }

    /// The authority that should sign: the operator's, else ours, which is made if there is none.
    private func wanted(now: Date) async throws -> AuthorityFiles {
        let (pluggedIn, own, signer) = self.state.withLock { ($0.pluggedIn, $0.own, $0.rotation?.signer) }
        if let pluggedIn {
            let files = AuthoritySecrets.files(pluggedIn)
            do {
                _ = try CertificateAuthority(files: files, policy: self.settings.policy, now: now)
                return files
            } catch {
                guard let signer else { throw PluggedInRefused(namespace: self.settings.namespace, cause: error) }
                // A bad replacement must not take the mesh down.
                self.complain("the Secret cacerts is not used, the authority before it goes on", error)
                return signer
            }
        }
        if let own {
            let files = AuthoritySecrets.files(own)
            do {
                let authority = try CertificateAuthority(files: files, policy: self.settings.policy, now: now)
                if !self.isNearEnd(authority, now: now) { return files }
                self.logger.info(
                    "the root nears its end, a successor is made",
                    metadata: ["ends": "\(authority.notAfter)"]
                )
            } catch {
                self.complain("the Secret istio-ca-secret is not usable, a new root is made", error)
            }
            return try await self.makeRoot(replacing: own, now: now)
        }
        return try await self.makeRoot(replacing: nil, now: now)
    }

    /// A fifth before its end, so that the successor is known to everybody long before it is needed.
    private func isNearEnd(_ authority: CertificateAuthority, now: Date) -> Bool {
        let root = authority.root
        let life = root.notValidAfter.timeIntervalSince(root.notValidBefore)
        return root.notValidAfter.timeIntervalSince(now) < life / 5
    }

    /// Makes a root and stores it; if another replica was faster, that one's root is read by the next round.
    private func makeRoot(replacing existing: KubernetesObject?, now: Date) async throws -> AuthorityFiles {
        let files = try CertificateAuthority.selfSigned(
            organization: self.settings.policy.trustDomain,
            kind: self.settings.rootKey,
            lifetime: self.settings.rootLifetime,
            now: now
        )
        let stored: KubernetesObject
        do {
            if var existing {
                AuthoritySecrets.write(files, into: &existing)
                stored = try await self.client.replace(.secrets, existing)
            } else {
                stored = try await self.client.create(
                    .secrets,
                    AuthoritySecrets.own(files, namespace: self.settings.namespace)
                )
            }
        } catch let error as KubernetesError where error.isAlreadyExists || error.isConflict {
            let theirs = try await self.client.get(
                .secrets,
                namespace: self.settings.namespace,
                name: AuthoritySecrets.own
            )
            self.state.withLock { $0.own = theirs }
            return AuthoritySecrets.files(theirs)
        }
        self.state.withLock { $0.own = stored }
        self.logger.info(
            "root made",
            metadata: ["secret": "\(self.settings.namespace)/\(AuthoritySecrets.own)"]
        )
        return files
    }

    private func readState() async throws {
        do {
            let secret = try await self.client.get(
                .secrets,
                namespace: self.settings.namespace,
                name: AuthoritySecrets.state
            )
            let kept = AuthoritySecrets.state(secret)
            self.state.withLock { state in
                state.kept = secret
                state.rotation = kept.map { RootRotation(state: $0, settings: self.settings.rotation) }
            }
        } catch let error as KubernetesError where error.isNotFound {
            self.state.withLock { $0.kept = nil }
        }
    }

    private func keep(_ rotation: RootRotation) async throws {
        let kept = self.state.withLock(\.kept)
        if let kept, AuthoritySecrets.state(kept) == rotation.state {
            self.state.withLock { $0.rotation = rotation }
            return
        }
        var object =
            kept ?? KubernetesObject(.secrets, namespace: self.settings.namespace, name: AuthoritySecrets.state)
        try AuthoritySecrets.write(rotation.state, into: &object)
        do {
            let written =
                kept == nil
                ? try await self.client.create(.secrets, object) : try await self.client.replace(.secrets, object)
            self.state.withLock { state in
                state.kept = written
                state.rotation = rotation
            }
        } catch let error as KubernetesError where error.isAlreadyExists || error.isConflict || error.isNotFound {
            // Another replica was faster, or somebody deleted it: begin again from what is there now.
            let lost = error.isNotFound
            self.state.withLock { state in
                if lost { state.kept = nil } else { state.rotation = nil }
            }
            throw error
        }
    }

    private func endRound() {
        self.state.withLock { state in
            state.known = state.complaints
            state.complaints = []
        }
    }

    /// Told once for as long as it holds.
    private func complain(_ message: Logger.Message, _ error: any Error) {
        let text = "\(message): \(error)"
        let isNew = self.state.withLock { state in
            state.complaints.insert(text)
            return !state.known.contains(text)
        }
        self.logger.log(level: isNew ? .error : .debug, message, metadata: ["error": "\(error)"])
    }
}

/// The operator's authority cannot be used, and there is no other.
struct PluggedInRefused: Error, CustomStringConvertible {
    var namespace: String
    var cause: any Error

    var description: String { "the Secret \(self.namespace)/\(AuthoritySecrets.pluggedIn) is refused: \(self.cause)" }
}
