import Logging
import MeshModel
import MeshTestSupport
import Synchronization
import Testing
import WorkloadIdentity

@Suite struct IdentityKeeperTests {
    /// A world in which time passes only by sleeping, and ends after so many seconds.
    private final class SleepingWorld: Sendable {
        private let time = Mutex(0.0)
        private let end: Double
        /// Called after each sleep with the time.
        private let woken: @Sendable (Double) -> Void

        init(start: Double = 0, end: Double, woken: @escaping @Sendable (Double) -> Void = { _ in }) {
            self.end = end
            self.woken = woken
            self.time.withLock { $0 = start }
        }

        var now: Double { self.time.withLock { $0 } }

        var world: IdentityKeeper.World {
            IdentityKeeper.World(
                now: { self.now },
                sleep: { duration in
                    let parts = duration.components
                    // A little more than asked, as clocks do; without it rounding might make no progress.
                    let seconds = Double(parts.seconds) + Double(parts.attoseconds) / 1e18 + 1e-6
                    let now = self.time.withLock { time in
                        time += seconds
                        return time
                    }
                    if now > self.end { throw CancellationError() }
                    self.woken(now)
                },
                random: { 0.5 }
            )
        }
    }

    private let identity: WorkloadID

    init() throws {
        self.identity = try #require(
            WorkloadID(trustDomain: "cluster.local", namespace: "default", serviceAccount: "sleep")
        )
    }

    private func keeper(
        _ directory: String,
        _ issuer: any CertificateIssuer,
        _ world: SleepingWorld,
        rootFile: String? = nil,
        source: IdentityKeeper.Source = .issued,
        identity: WorkloadID? = nil
    ) -> IdentityKeeper {
        IdentityKeeper(
            configuration: IdentityKeeper.Configuration(
                identity: identity ?? self.identity,
                source: source,
                directory: CertificateDirectory(path: directory),
                rootFile: rootFile
            ),
            issuer: issuer,
            world: world.world,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
    }

    @Test("A certificate is issued, shown with its roots and written to files")
    func issues() async throws {
        try await withTemporaryDirectory { path in
            let world = SleepingWorld(end: 10)
            let authority = try TestAuthority(identity: self.identity) { world.now }
            let keeper = self.keeper(path, authority, world)

            await keeper.run()

            let current = try #require(keeper.current)
            #expect(current.leaf.uris == [self.identity.uri])
            #expect(try current.credential.roots == authority.root)
            #expect(current.roots.count == 1)
            #expect(authority.requests == 1)
            let files = try #require(try CertificateDirectory(path: path).read())
            #expect(files.chain == current.credential.certificateChain)
            #expect(files.key == current.credential.privateKey)
            var updates = keeper.updates.makeAsyncIterator()
            #expect(await updates.next() == current)
        }
    }

    @Test("A certificate is renewed at half of its life, with a new key")
    func renews() async throws {
        try await withTemporaryDirectory { path in
            let world = SleepingWorld(end: 520)
            let authority = try TestAuthority(identity: self.identity) { world.now }
            let keeper = self.keeper(path, authority, world)

            await keeper.run()

            #expect(authority.requests == 2)
            #expect(keeper.counts.rotations == 2)
            #expect(keeper.current?.leaf.validFrom ?? 0 >= 490)
        }
    }

    @Test("While the authority is away the certificate goes on, and it is asked again and again")
    func authorityDown() async throws {
        try await withTemporaryDirectory { path in
            let authority = Mutex<TestAuthority?>(nil)
            let world = SleepingWorld(end: 900) { now in
                if now > 100 { authority.withLock { $0?.set(isDown: true) } }
            }
            let made = try TestAuthority(identity: self.identity) { world.now }
            authority.withLock { $0 = made }
            let keeper = self.keeper(path, made, world)

            await keeper.run()

            #expect(keeper.current?.leaf.validUntil == 1000)
            #expect(keeper.counts.rotations == 1)
            #expect(keeper.counts.failures > 10)
        }
    }

    @Test("A restart while the authority is away uses the files")
    func restart() async throws {
        try await withTemporaryDirectory { path in
            let first = SleepingWorld(end: 10)
            let authority = try TestAuthority(identity: self.identity) { first.now }
            let before = self.keeper(path, authority, first)
            await before.run()
            authority.set(isDown: true)

            let after = self.keeper(path, authority, SleepingWorld(start: 100, end: 110))
            await after.run()

            #expect(after.current?.credential.certificateChain == before.current?.credential.certificateChain)
            #expect(after.current?.credential.privateKey == before.current?.credential.privateKey)
            #expect(try after.current?.credential.roots == authority.root)
            #expect(authority.requests == 1)
        }
    }

    @Test("Files whose certificate has ended are not used")
    func expiredFiles() async throws {
        try await withTemporaryDirectory { path in
            let first = SleepingWorld(end: 10)
            let authority = try TestAuthority(identity: self.identity) { first.now }
            await self.keeper(path, authority, first).run()
            authority.set(isDown: true)

            let after = self.keeper(path, authority, SleepingWorld(start: 1001, end: 1010))
            await after.run()

            #expect(after.current == nil)
        }
    }

    @Test("Files of another workload, and a certificate beside another's key, are not used")
    func foreignFiles() async throws {
        try await withTemporaryDirectory { path in
            let first = SleepingWorld(end: 10)
            let authority = try TestAuthority(identity: self.identity) { first.now }
            await self.keeper(path, authority, first).run()
            authority.set(isDown: true)
            let other = try #require(
                WorkloadID(trustDomain: "cluster.local", namespace: "default", serviceAccount: "other")
            )

            let foreign = self.keeper(path, authority, SleepingWorld(start: 20, end: 30), identity: other)
            await foreign.run()
            let directory = CertificateDirectory(path: path)
            var content = try #require(try directory.read())
            content.key = try WorkloadKey(.ecdsaP256).pem
            try directory.write(content)
            let mixed = self.keeper(path, authority, SleepingWorld(start: 20, end: 30))
            await mixed.run()

            #expect(foreign.current == nil)
            #expect(mixed.current == nil)
        }
    }

    @Test("Whether a certificate is stored that can be used is told without asking anybody")
    func stored() async throws {
        try await withTemporaryDirectory { path in
            let directory = CertificateDirectory(path: path)
            let first = SleepingWorld(end: 10)
            let authority = try TestAuthority(identity: self.identity) { first.now }
            let identity = self.identity
            func stored(_ meshRoots: [UInt8] = [], at now: Double = 20) throws -> StoredCertificate? {
                try StoredCertificate(in: directory, identity: identity, meshRoots: meshRoots, now: now)
            }
            #expect(try stored() == nil)

            await self.keeper(path, authority, first).run()

            let other = try TestAuthority(identity: identity) { 0 }
            let roots = try (own: authority.root, other: other.root)
            #expect(try stored() != nil)
            #expect(try stored(roots.own) != nil)
            #expect(throws: WorkloadCertificate.Flaw.untrusted) { try stored(roots.other) }
            #expect(throws: WorkloadCertificate.Flaw.expired) { try stored(at: 1001) }
        }
    }

    @Test("New roots in the mounted file are trusted beside the old ones")
    func roots() async throws {
        try await withTemporaryDirectory { path in
            let box = Mutex<(file: String, roots: [UInt8])?>(nil)
            let world = SleepingWorld(end: 60) { now in
                guard now > 20, let (file, roots) = box.withLock({ $0 }) else { return }
                let directory = CertificateDirectory(path: file)
                // What cannot be written fails the test below.
                try? directory.write(CertificateDirectory.Content(chain: [], key: [], roots: roots))
            }
            let authority = try TestAuthority(identity: self.identity) { world.now }
            let mounted = CertificateDirectory(path: path + "/mounted")
            try mounted.write(CertificateDirectory.Content(chain: [], key: [], roots: authority.root))
            let old = try authority.root
            let other = try TestAuthority(identity: self.identity) { 0 }
            let new = try other.root
            box.withLock { $0 = (mounted.path, old + new) }
            let keeper = self.keeper(path + "/certs", authority, world, rootFile: mounted.rootFile)

            await keeper.run()

            #expect(keeper.current?.credential.roots == old + new)
            #expect(keeper.current?.roots.count == 2)
            #expect(authority.requests == 1)
        }
    }

    /// Gives a root more than the authority does.
    private struct Generous: CertificateIssuer {
        let authority: TestAuthority
        let more: String

        func certificates(for request: String, lifetime: Duration) async throws -> [String] {
            try await self.authority.certificates(for: request, lifetime: lifetime) + [self.more]
        }
    }

    @Test("A root that leaves the mounted file is not trusted any more, although the last answer had it")
    func rootWithdrawn() async throws {
        try await withTemporaryDirectory { path in
            let mounted = CertificateDirectory(path: path + "/mounted")
            let box = Mutex<[UInt8]?>(nil)
            let world = SleepingWorld(end: 60) { now in
                guard now > 20, let roots = box.withLock({ $0 }) else { return }
                // What cannot be written fails the test below.
                try? mounted.write(CertificateDirectory.Content(chain: [], key: [], roots: roots))
            }
            let authority = try TestAuthority(identity: self.identity) { world.now }
            let kept = try authority.root
            let withdrawn = try TestAuthority(identity: self.identity) { 0 }.root
            try mounted.write(CertificateDirectory.Content(chain: [], key: [], roots: kept + withdrawn))
            box.withLock { $0 = kept }
            let issuer = Generous(authority: authority, more: String(decoding: withdrawn, as: UTF8.self))
            let keeper = self.keeper(path + "/certs", issuer, world, rootFile: mounted.rootFile)

            await keeper.run()

            #expect(keeper.current?.credential.roots == kept)
            #expect(authority.requests == 1)
        }
    }

    @Test("A certificate whose root the mesh no longer has is renewed before its time")
    func rootGone() async throws {
        try await withTemporaryDirectory { path in
            let mounted = CertificateDirectory(path: path + "/mounted")
            let box = Mutex<TestAuthority?>(nil)
            let world = SleepingWorld(end: 60) { now in
                guard now > 20, let authority = box.withLock({ $0.take() }) else { return }
                do {
                    try authority.changeRoot()
                    try mounted.write(CertificateDirectory.Content(chain: [], key: [], roots: authority.root))
                } catch { Issue.record(error) }
            }
            let authority = try TestAuthority(identity: self.identity) { world.now }
            try mounted.write(CertificateDirectory.Content(chain: [], key: [], roots: authority.root))
            box.withLock { $0 = authority }
            let keeper = self.keeper(path + "/certs", authority, world, rootFile: mounted.rootFile)

            await keeper.run()

            #expect(authority.requests == 2)
            #expect(try keeper.current?.credential.roots == authority.root)
        }
    }

    @Test("Files that others renew are followed; what does not fit together is not taken")
    func followsFiles() async throws {
        try await withTemporaryDirectory { path in
            let first = SleepingWorld(end: 10)
            let authority = try TestAuthority(identity: self.identity) { first.now }
            await self.keeper(path, authority, first).run()
            let good = try #require(try CertificateDirectory(path: path).read())
            let world = SleepingWorld(start: 20, end: 60) { now in
                guard now > 40 else { return }
                let broken = CertificateDirectory.Content(chain: good.chain, key: [1], roots: good.roots)
                do { try CertificateDirectory(path: path).write(broken) } catch { Issue.record(error) }
            }

            let keeper = self.keeper(path, authority, world, source: .files)
            await keeper.run()

            #expect(keeper.current?.credential.privateKey == good.key)
            #expect(authority.requests == 1)
        }
    }

    @Test("Beside files of others, new roots in the mounted file are trusted; a file that is gone changes nothing")
    func followsRootsBesideFiles() async throws {
        try await withTemporaryDirectory { path in
            let first = SleepingWorld(end: 10)
            let authority = try TestAuthority(identity: self.identity) { first.now }
            await self.keeper(path + "/certs", authority, first).run()
            let mounted = CertificateDirectory(path: path + "/mounted")
            let old = try authority.root
            let new = try TestAuthority(identity: self.identity) { 0 }.root
            try mounted.write(CertificateDirectory.Content(chain: [], key: [], roots: old))
            let world = SleepingWorld(start: 20, end: 60) { now in
                let roots = now > 50 ? [] : now > 40 ? new : old
                do { try mounted.write(CertificateDirectory.Content(chain: [], key: [], roots: roots)) } catch {
                    Issue.record(error)
                }
            }

            let keeper = self.keeper(
                path + "/certs",
                authority,
                world,
                rootFile: mounted.rootFile,
                source: .files
            )
            await keeper.run()

            #expect(keeper.current?.roots.count == 2)
            #expect(keeper.current?.credential.roots == old + new)
            #expect(keeper.counts.rotations == 1)
        }
    }

    @Test("An answer for another workload is refused")
    func wrongAnswer() async throws {
        try await withTemporaryDirectory { path in
            let world = SleepingWorld(end: 1)
            let other = try #require(
                WorkloadID(trustDomain: "cluster.local", namespace: "default", serviceAccount: "other")
            )
            let authority = try TestAuthority(identity: other) { world.now }
            let keeper = self.keeper(path, authority, world)

            await keeper.run()

            #expect(keeper.current == nil)
            #expect(keeper.counts.failures > 1)
        }
    }
}
