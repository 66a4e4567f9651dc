package import Logging
package import MeshModel
internal import Synchronization

/// Keeps a workload's certificate good: asks for it, renews it, follows the mesh's roots, and stores all in files.
///
/// While the authority is away the certificate that there is goes on, also across a restart of the process.
package final class IdentityKeeper: Sendable {
    package enum Source: Hashable, Sendable {
        /// The mesh's authority signs.
        case issued
        /// Somebody else puts files into the directory and renews them.
        case files
    }

    package struct Configuration: Sendable {
        package var identity: WorkloadID
        package var source: Source
        package var directory: CertificateDirectory
        /// The mesh's roots in PEM (a mounted ConfigMap); `nil`: only those that the authority sends.
        package var rootFile: String?
        package var algorithm: WorkloadKey.Algorithm
        /// What the authority is asked for.
        package var lifetime: Duration
        package var renewal: RenewalTime
        /// How often files are looked at.
        package var pollInterval: Duration

        package init(
            identity: WorkloadID,
            source: Source = .issued,
            directory: CertificateDirectory,
            rootFile: String? = nil,
            algorithm: WorkloadKey.Algorithm = .ecdsaP256,
            lifetime: Duration = .seconds(24 * 3600),
            renewal: RenewalTime = RenewalTime(),
            pollInterval: Duration = .seconds(5)
        ) {
            self.identity = identity
            self.source = source
            self.directory = directory
            self.rootFile = rootFile
            self.algorithm = algorithm
            self.lifetime = lifetime
            self.renewal = renewal
            self.pollInterval = pollInterval
        }
    }

    /// The world as far as it changes; tests have their own.
    package struct World: Sendable {
        /// Seconds since 1970.
        package var now: @Sendable () -> Double
        package var sleep: @Sendable (Duration) async throws -> Void
        /// 0 to 1.
        package var random: @Sendable () -> Double

        package init(
            now: @escaping @Sendable () -> Double,
            sleep: @escaping @Sendable (Duration) async throws -> Void,
            random: @escaping @Sendable () -> Double
        ) {
            self.now = now
            self.sleep = sleep
            self.random = random
        }
    }

    /// Numbers for `/stats`.
    package struct Counts: Hashable, Sendable {
        package var rotations = 0
        package var failures = 0
    }

    private struct Shown: Sendable {
        var current: WorkloadCertificate?
        var counts = Counts()
    }

    private let configuration: Configuration
    private let issuer: any CertificateIssuer
    private let world: World
    private let logger: Logger
    private let shown = Mutex(Shown())
    private let stream: AsyncStream<WorkloadCertificate>
    private let continuation: AsyncStream<WorkloadCertificate>.Continuation

    package init(
        configuration: Configuration,
        issuer: any CertificateIssuer,
        world: World = .real,
        logger: Logger
    ) {
        self.configuration = configuration
        self.issuer = issuer
        self.world = world
        self.logger = logger
        (self.stream, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Each new certificate and each change of roots; of several that wait only the last. For one reader.
    package var updates: AsyncStream<WorkloadCertificate> { self.stream }

    package var current: WorkloadCertificate? { self.shown.withLock { $0.current } }

    package var counts: Counts { self.shown.withLock { $0.counts } }

    /// Runs until it is cancelled.
    package func run() async {
        defer { self.continuation.finish() }
        switch self.configuration.source {
        case .issued: await self.keepIssued()
        case .files: await self.followFiles()
        }
    }

    // MARK: Certificates of the mesh's authority

    /// What the loop knows; it alone changes it.
    private struct Progress {
        var machine: RenewalMachine
        /// Of the mounted file.
        var meshRoots: [UInt8] = []
        /// Of the last answer, or of the directory.
        var issuerRoots: [UInt8] = []
        var chain: [UInt8] = []
        var key: WorkloadKey?
        var saidThatFilesFail = false
    }

    private func keepIssued() async {
        var progress = Progress(machine: RenewalMachine(renewal: self.configuration.renewal, now: self.world.now()))
        progress.meshRoots = self.readRoots() ?? []
        self.restore(&progress)
        while !Task.isCancelled {
            self.followRoots(&progress)
            var wait = self.configuration.pollInterval
            switch progress.machine.step(at: self.world.now()) {
            case .request: await self.ask(&progress)
            case .wait(let seconds):
                wait = min(wait, .seconds(seconds))
                do { try await self.world.sleep(wait) } catch { return }
            }
        }
    }

    /// Takes what an earlier run of this process left.
    private func restore(_ progress: inout Progress) {
        do {
            let stored = try StoredCertificate(
                in: self.configuration.directory,
                identity: self.configuration.identity,
                meshRoots: progress.meshRoots,
                now: self.world.now()
            )
            guard let stored else { return }
            progress.key = stored.key
            progress.chain = stored.content.chain
            progress.issuerRoots = progress.meshRoots.isEmpty ? stored.content.roots : []
            self.note(stored.certificate, isNew: false, &progress.machine)
            self.show(stored.certificate, isRotation: false)
            self.logger.info("stored certificate in use", metadata: self.metadata(stored.certificate))
        } catch {
            self.logger.info("stored certificate not used", metadata: ["reason": "\(error)"])
        }
    }

    /// One request to the authority.
    private func ask(_ progress: inout Progress) async {
        do {
            let key = try WorkloadKey(self.configuration.algorithm)
            let answer = try await self.issuer.certificates(
                for: key.signingRequest(for: self.configuration.identity),
                lifetime: self.configuration.lifetime
            )
            let chain = Array(answer.map { $0.hasSuffix("\n") ? $0 : $0 + "\n" }.joined().utf8)
            let roots = try WorkloadCertificate.roots(in: chain)
            let certificate = try WorkloadCertificate(
                chain: chain,
                key: key,
                roots: [progress.meshRoots, roots],
                identity: self.configuration.identity,
                now: self.world.now()
            )
            progress.key = key
            progress.chain = chain
            progress.issuerRoots = roots
            self.note(certificate, isNew: true, &progress.machine)
            self.show(certificate, isRotation: true)
            self.logger.info("certificate issued", metadata: self.metadata(certificate))
            self.store(certificate, &progress)
        } catch {
            if Task.isCancelled { return }
            self.shown.withLock { $0.counts.failures += 1 }
            let matter = progress.machine.failed(at: self.world.now(), random: self.world.random())
            self.say(matter, error, hasCertificate: progress.machine.isValid(at: self.world.now()))
        }
    }

    private func say(_ matter: RenewalMachine.OnFailure, _ error: any Error, hasCertificate: Bool) {
        let metadata: Logger.Metadata = ["reason": "\(error)", "identity": "\(self.configuration.identity)"]
        switch (matter, hasCertificate) {
        case (.keepQuiet, _): self.logger.debug("no certificate from the authority", metadata: metadata)
        case (.warn, true): self.logger.warning("certificate not renewed, the old one goes on", metadata: metadata)
        case (.warn, false): self.logger.warning("no certificate from the authority, asking again", metadata: metadata)
        case (.alarm, true): self.logger.error("certificate ends within the hour, not renewed", metadata: metadata)
        case (.alarm, false): self.logger.error("no valid certificate, peers will refuse it", metadata: metadata)
        }
    }

    /// Takes new roots of the mesh; certificates of a root that has gone are renewed.
    private func followRoots(_ progress: inout Progress) {
        guard let roots = self.readRoots(), roots != progress.meshRoots else { return }
        let isFirst = progress.meshRoots.isEmpty
        progress.meshRoots = roots
        guard let key = progress.key else { return }
        do {
            let isOutdated =
                !progress.issuerRoots.isEmpty && !WorkloadCertificate.overlap(progress.issuerRoots, roots)
            if isOutdated { progress.machine.renewSoon(at: self.world.now()) }
            let certificate = try WorkloadCertificate(
                chain: progress.chain,
                key: key,
                // What the authority said with the certificate is older than the file: a root that has left it is out.
                // Only where none is left the old ones stay, until there is a certificate of a new one.
                roots: isOutdated ? [roots, progress.issuerRoots] : [roots],
                identity: self.configuration.identity,
                now: self.world.now()
            )
            self.show(certificate, isRotation: false)
            if !isFirst { self.logger.info("roots changed", metadata: ["roots": "\(certificate.roots.count)"]) }
            self.store(certificate, &progress)
        } catch {
            self.logger.error("roots not taken", metadata: ["reason": "\(error)"])
        }
    }

    /// The mounted roots; `nil` if there are none now: what was read before goes on.
    private func readRoots() -> [UInt8]? {
        guard let path = self.configuration.rootFile else { return nil }
        do {
            guard let bytes = try CertificateDirectory.read(path), !CertificateFacts.all(in: bytes).isEmpty else {
                return nil
            }
            return bytes
        } catch {
            self.logger.warning("roots not read", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    private func store(_ certificate: WorkloadCertificate, _ progress: inout Progress) {
        let content = CertificateDirectory.Content(
            chain: certificate.credential.certificateChain,
            key: certificate.credential.privateKey,
            roots: certificate.credential.roots
        )
        do { try self.configuration.directory.write(content) } catch {
            // Only a restart would need them.
            if !progress.saidThatFilesFail {
                self.logger.warning("certificate files not written", metadata: ["reason": "\(error)"])
            }
            progress.saidThatFilesFail = true
        }
    }

    // MARK: Certificates of others

    private func followFiles() async {
        var last: CertificateDirectory.Content?
        var meshRoots: [UInt8] = []
        var failures = RenewalMachine(renewal: self.configuration.renewal, now: self.world.now())
        while !Task.isCancelled {
            do {
                let content = try self.configuration.directory.read()
                let roots = self.readRoots() ?? meshRoots
                if var content, content != last || roots != meshRoots {
                    let read = content
                    content.roots += roots
                    let certificate = try WorkloadCertificate(
                        chain: content.chain,
                        key: WorkloadKey(pem: content.key),
                        roots: [content.roots],
                        identity: nil,
                        now: self.world.now()
                    )
                    let isRotation = read != last
                    last = read
                    meshRoots = roots
                    self.note(certificate, isNew: false, &failures)
                    self.show(certificate, isRotation: isRotation)
                    self.logger.info("certificate files taken", metadata: self.metadata(certificate))
                }
            } catch {
                let matter = failures.failed(at: self.world.now(), random: self.world.random())
                self.say(matter, error, hasCertificate: failures.isValid(at: self.world.now()))
            }
            do { try await self.world.sleep(self.configuration.pollInterval) } catch { return }
        }
    }

    // MARK: Telling

    private func note(_ certificate: WorkloadCertificate, isNew: Bool, _ machine: inout RenewalMachine) {
        machine.received(
            RenewalMachine.Life(start: certificate.leaf.validFrom, end: certificate.leaf.validUntil),
            at: self.world.now(),
            isNew: isNew,
            random: self.world.random() * 2 - 1
        )
    }

    private func show(_ certificate: WorkloadCertificate, isRotation: Bool) {
        self.shown.withLock {
            $0.current = certificate
            if isRotation { $0.counts.rotations += 1 }
        }
        self.continuation.yield(certificate)
    }

    private func metadata(_ certificate: WorkloadCertificate) -> Logger.Metadata {
        [
            "identity": "\(certificate.leaf.uris.joined(separator: ","))", "serial": "\(certificate.leaf.serial)",
            "hours": "\(Int(max(0, certificate.leaf.validUntil - self.world.now()) / 3600))",
            "roots": "\(certificate.roots.count)",
        ]
    }
}
