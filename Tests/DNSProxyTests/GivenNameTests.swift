import DNSProxy
import DNSWire
import MeshModel
import Testing

@Suite struct GivenNameTests {
    private let now = ContinuousClock.now
    private let address = IPAddress.v4(0x0a00_0001)

    private func name(_ text: String) throws -> DNSName { try #require(DNSName(text)) }

    private func given(_ text: String, isLocal: Bool = true, ttl: UInt32 = 30) throws -> GivenName {
        GivenName(name: try self.name(text), isLocal: isLocal, ttl: ttl, at: self.now)
    }

    @Test("A name holds as long as its record and the grace, and not a moment longer")
    func expires() throws {
        let names = RecentNames()
        names.record(try self.name("a.test"), try self.given("a.test", ttl: 30), for: self.address, now: self.now)

        func count(after seconds: Int64) -> Int {
            names.given(self.address, grace: .seconds(10), now: self.now + .seconds(seconds)).count
        }
        #expect([0, 39, 40, 100].map(count) == [1, 1, 0, 0])
        #expect(names.given(.v4(2), grace: .seconds(10), now: self.now).isEmpty)
    }

    @Test("A longer time is not cut short by an answer that holds less, and lifetimes beyond a day are not believed")
    func longest() throws {
        let names = RecentNames()
        for ttl in [UInt32(60), 5] {
            names.record(try self.name("a.test"), try self.given("a.test", ttl: ttl), for: self.address, now: self.now)
        }
        let far = try self.given("b.test", ttl: .max)
        names.record(try self.name("b.test"), far, for: .v4(2), now: self.now)

        #expect(names.given(self.address, grace: .zero, now: self.now + .seconds(59)).count == 1)
        #expect(names.given(.v4(2), grace: .zero, now: self.now + .seconds(86_399)).count == 1)
        #expect(names.given(.v4(2), grace: .zero, now: self.now + .seconds(86_400)).isEmpty)
    }

    @Test("An address keeps a bounded number of names; the one that expires first makes room")
    func bounded() throws {
        let names = RecentNames()
        for index in 0...RecentNames.namesMax {
            let given = try self.given("n\(index).test", ttl: UInt32(10 + index))
            names.record(given.name, given, for: self.address, now: self.now)
        }

        let kept = names.given(self.address, grace: .zero, now: self.now).map(\.name.description)
        #expect(kept.count == RecentNames.namesMax && !kept.contains("n0.test"))
    }

    @Test("A full table drops an address whose names have expired before one whose names hold")
    func evicts() throws {
        let names = RecentNames(limit: 2)
        names.record(try self.name("long.test"), try self.given("long.test", ttl: 300), for: .v4(1), now: self.now)
        names.record(try self.name("short.test"), try self.given("short.test", ttl: 1), for: .v4(2), now: self.now)

        let later = self.now + .seconds(10)
        names.record(try self.name("new.test"), try self.given("new.test", ttl: 300), for: .v4(3), now: later)

        #expect([1, 2, 3].map { names.given(.v4($0), grace: .zero, now: later).count } == [1, 0, 1])
    }

    @Test("A host of the mesh stands for its short names as well; others for themselves alone")
    func texts() throws {
        let search = try ["ns1.svc.cluster.local", "svc.cluster.local", "corp.test"].map(self.name)

        let texts = try self.given("Db.ns1.svc.cluster.local").texts(search: search)
        #expect(texts == ["db.ns1.svc.cluster.local", "db", "db.ns1"])
        let foreign = try self.given("edition.cnn.com.corp.test", isLocal: false).texts(search: search)
        #expect(foreign == ["edition.cnn.com.corp.test"])
    }
}
