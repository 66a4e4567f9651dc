import DNSProxy
import DNSWire
import MeshModel
import Testing

@Suite struct RecentNamesTests {
    @Test("The last name that led to an address is known, in lower case")
    func lastName() throws {
        let names = RecentNames(limit: 2)

        names.record(try #require(DNSName("first.test")), for: .v4(1))
        names.record(try #require(DNSName("Second.test")), for: .v4(1))

        #expect(names.name(of: .v4(1)) == "second.test")
        #expect(names.name(of: .v4(2)) == nil)
    }

    @Test("The address that came first is forgotten when it is full, over and over")
    func bounded() throws {
        let names = RecentNames(limit: 3)
        let name = try #require(DNSName("a.test"))

        for bits in UInt32(1)...10 {
            names.record(name, for: .v4(bits))
            #expect(names.count == min(Int(bits), 3))
        }

        #expect((1...10).filter { names.name(of: .v4($0)) != nil } == [8, 9, 10])
    }
}
