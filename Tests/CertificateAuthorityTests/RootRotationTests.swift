import CertificateAuthority
import Foundation
import Testing

@Suite struct RootRotationTests {
    private let now = Requests.now
    private let settings = RootRotation.Settings(distributionTime: .seconds(60), certificateLife: .seconds(3600))

    @Test("A new root is trusted first, signs later, and the old one goes when its certificates are over")
    func wholeWay() throws {
        let (old, new) = (try self.root(), try self.root())
        var rotation = RootRotation(state: .init(signer: old), settings: self.settings)
        #expect(try rotation.bundle == old.root)

        #expect(try rotation.wanted(new, now: self.now) == .announced)
        #expect(rotation.signer == old)
        #expect(try rotation.trusted == [old.root, new.root])

        #expect(try rotation.advance(now: self.at(59), isDistributed: true) == .nothing)
        #expect(try rotation.advance(now: self.at(60), isDistributed: false) == .nothing)
        #expect(rotation.signer == old)
        #expect(try rotation.advance(now: self.at(60), isDistributed: true) == .changed)
        #expect(rotation.signer == new)
        #expect(try rotation.trusted == [new.root, old.root])

        #expect(try rotation.advance(now: self.at(60 + 3599), isDistributed: true) == .nothing)
        #expect(try rotation.advance(now: self.at(60 + 3600), isDistributed: true) == .changed)
        #expect(try rotation.trusted == [new.root])
        #expect(rotation.nextChange == nil)
    }

    @Test("Nothing changes while the wanted authority signs")
    func steady() throws {
        let files = try self.root()
        var rotation = RootRotation(state: .init(signer: files), settings: self.settings)

        #expect(try rotation.wanted(files, now: self.now) == .unchanged)
        #expect(try rotation.advance(now: self.at(1_000_000), isDistributed: true) == .nothing)
    }

    @Test("Another intermediate of a trusted root signs at once")
    func intermediate() throws {
        let root = try Requests.authority()
        func below() throws -> AuthorityFiles {
            try root.subordinate(organization: "ops", from: self.now, until: self.at(86_400))
        }
        let (first, second) = (try below(), try below())
        var rotation = RootRotation(state: .init(signer: first), settings: self.settings)

        #expect(try rotation.wanted(second, now: self.now) == .signs)

        #expect(rotation.signer == second)
        #expect(try rotation.trusted.count == 1)
    }

    @Test("Going back to the old authority takes the announcement back")
    func takenBack() throws {
        let (old, new) = (try self.root(), try self.root())
        var rotation = RootRotation(state: .init(signer: old), settings: self.settings)
        _ = try rotation.wanted(new, now: self.now)

        #expect(try rotation.wanted(old, now: self.at(10)) == .unchanged)

        #expect(try rotation.advance(now: self.at(100), isDistributed: true) == .nothing)
        #expect(try rotation.trusted == [old.root])
    }

    @Test("After the change, the way back needs no announcement while the old root is trusted")
    func back() throws {
        let (old, new) = (try self.root(), try self.root())
        var rotation = RootRotation(state: .init(signer: old), settings: self.settings)
        _ = try rotation.wanted(new, now: self.now)
        _ = try rotation.advance(now: self.at(60), isDistributed: true)

        #expect(try rotation.wanted(old, now: self.at(70)) == .signs)

        #expect(try rotation.trusted == [old.root, new.root])
        #expect(rotation.nextChange == self.at(70 + 3600))
    }

    @Test("Asking again does not begin the wait anew")
    func askedAgain() throws {
        let (old, new) = (try self.root(), try self.root())
        var rotation = RootRotation(state: .init(signer: old), settings: self.settings)
        _ = try rotation.wanted(new, now: self.now)
        _ = try rotation.wanted(new, now: self.at(59))

        #expect(try rotation.advance(now: self.at(60), isDistributed: true) == .changed)
    }

    @Test("A restart in the middle changes nothing")
    func restart() throws {
        let (old, new) = (try self.root(), try self.root())
        var rotation = RootRotation(state: .init(signer: old), settings: self.settings)
        _ = try rotation.wanted(new, now: self.now)

        let data = try JSONEncoder().encode(rotation.state)
        let state = try JSONDecoder().decode(RootRotation.State.self, from: data)
        var restarted = RootRotation(state: state, settings: self.settings)

        #expect(try restarted.wanted(new, now: self.at(30)) == .announced)
        #expect(try restarted.trusted == [old.root, new.root])
        #expect(try restarted.advance(now: self.at(60), isDistributed: true) == .changed)
        #expect(restarted.signer == new)
    }

    @Test("Where the old authority cannot sign any more, the new one does at once")
    func emergency() throws {
        let (old, new) = (try self.root(), try self.root())
        var rotation = RootRotation(state: .init(signer: old), settings: self.settings)
        _ = try rotation.wanted(new, now: self.now)

        try rotation.signNow(now: self.at(1))

        #expect(rotation.signer == new)
        #expect(try rotation.trusted == [new.root, old.root])
    }

    private func at(_ seconds: TimeInterval) -> Date { self.now.addingTimeInterval(seconds) }

    private func root() throws -> AuthorityFiles {
        try CertificateAuthority.selfSigned(organization: "cluster.local", now: self.now)
    }
}
