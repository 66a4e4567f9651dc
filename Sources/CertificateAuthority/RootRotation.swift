package import Foundation

/// Replaces roots without a moment in which somebody meets a certificate whose root he does not know.
///
/// A new root is first trusted everywhere; then certificates are signed with it; the old one is trusted for as long as
/// a certificate of it can live. Pure: the caller feeds in facts and time and keeps ``state`` where it survives.
package struct RootRotation: Sendable {
    /// Whom to trust, and who signs.
    package struct State: Hashable, Sendable, Codable {
        /// A new authority that is trusted but does not sign yet.
        package struct Announced: Hashable, Sendable, Codable {
            package var files: AuthorityFiles
            package var since: Date
        }

        /// A root that no longer signs.
        package struct Retired: Hashable, Sendable, Codable {
            /// PEM.
            package var root: String
            /// When its last certificate has ended.
            package var until: Date
        }

        package var signer: AuthorityFiles
        package var announced: Announced?
        package var retired: [Retired]

        package init(signer: AuthorityFiles) {
            self.signer = signer
            self.retired = []
        }
    }

    package struct Settings: Hashable, Sendable {
        /// How long a bundle takes to reach the last proxy once it is written: Kubernetes renews mounted ConfigMaps
        /// about every minute.
        package var distributionTime: Duration
        /// The longest life of a certificate.
        package var certificateLife: Duration

        package init(
            distributionTime: Duration = .seconds(180),
            certificateLife: Duration = IssuancePolicy().lifetimeMax
        ) {
            self.distributionTime = distributionTime
            self.certificateLife = certificateLife
        }
    }

    /// What became of a wish for an authority.
    package enum OnWanted: Hashable, Sendable {
        /// It signs already.
        case unchanged
        /// It signs from now on: its roots are trusted already.
        case signs
        /// Its roots are trusted from now on; it signs when everybody knows them.
        case announced
    }

    package enum OnAdvance: Hashable, Sendable {
        case nothing
        /// The announced authority signs, or old roots are no longer trusted, or both.
        case changed
    }

    package private(set) var state: State
    private let settings: Settings

    package init(state: State, settings: Settings = Settings()) {
        self.state = state
        self.settings = settings
    }

    package var signer: AuthorityFiles { self.state.signer }

    /// Roots to trust, PEM, that of the signer first.
    package var trusted: [String] {
        get throws(AuthorityError) {
            var roots = try self.state.signer.roots
            if let announced = self.state.announced { roots += try announced.files.roots }
            roots += self.state.retired.map(\.root)
            var seen: Set<String> = []
            return roots.filter { seen.insert($0).inserted }
        }
    }

    /// The roots to trust in one text.
    package var bundle: String { get throws(AuthorityError) { try self.trusted.joined() } }

    /// Somebody wants certificates to be signed with `files`, which must have been checked.
    package mutating func wanted(_ files: AuthorityFiles, now: Date) throws(AuthorityError) -> OnWanted {
        if files == self.state.signer {
            self.state.announced = nil
            return .unchanged
        }
        if self.state.announced?.files == files { return .announced }
        let known = Set(try self.state.signer.roots + self.state.retired.map(\.root))
        if Set(try files.roots).isSubset(of: known) {
            try self.sign(with: files, now: now)
            return .signs
        }
        self.state.announced = State.Announced(files: files, since: now)
        return .announced
    }

    /// Time went by; `isDistributed` says whether every namespace has the present bundle.
    package mutating func advance(now: Date, isDistributed: Bool) throws(AuthorityError) -> OnAdvance {
        let before = self.state
        if let announced = self.state.announced, isDistributed,
            now >= announced.since.addingTimeInterval(self.settings.distributionTime.seconds)
        {
            try self.sign(with: announced.files, now: now)
        }
        self.state.retired.removeAll { $0.until <= now }
        return self.state == before ? .nothing : .changed
    }

    /// The announced authority signs at once: the one before cannot any more.
    package mutating func signNow(now: Date) throws(AuthorityError) {
        if let announced = self.state.announced { try self.sign(with: announced.files, now: now) }
    }

    /// When ``advance(now:isDistributed:)`` has something to do next, if everybody has the bundle; `nil`: never.
    package var nextChange: Date? {
        let switching = self.state.announced.map {
            $0.since.addingTimeInterval(self.settings.distributionTime.seconds)
        }
        return (self.state.retired.map(\.until) + [switching].compactMap { $0 }).min()
    }

    private mutating func sign(with files: AuthorityFiles, now: Date) throws(AuthorityError) {
        let fresh = try files.roots
        let until = now.addingTimeInterval(self.settings.certificateLife.seconds)
        let old = try self.state.signer.roots
        self.state.retired.removeAll { fresh.contains($0.root) || old.contains($0.root) }
        self.state.retired += old.filter { !fresh.contains($0) }.map { State.Retired(root: $0, until: until) }
        self.state.signer = files
        self.state.announced = nil
    }
}
