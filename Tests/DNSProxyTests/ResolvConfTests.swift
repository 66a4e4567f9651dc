import DNSProxy
import DNSWire
import MeshModel
import MeshTestSupport
import Testing

@Suite struct ResolvConfTests {
    @Test("A file as Kubernetes writes it is understood")
    func kubernetes() {
        let file = ResolvConf(
            text: """
                search default.svc.cluster.local svc.cluster.local cluster.local
                nameserver 10.214.0.10
                options ndots:5
                """
        )

        #expect(file.nameservers == [ResolvConf.Nameserver(address: .v4(0x0ad6_000a))])
        #expect(
            file.search.map(\.description) == ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"]
        )
        #expect(file.ndots == 5 && file.attempts == 2 && file.timeout == .seconds(5) && !file.rotates)
    }

    @Test("Comments, zones, tabs and nonsense are taken as resolvers take them")
    func oddities() {
        let file = ResolvConf(
            text: """
                ; a comment
                # another
                nameserver fe80::1%eth0 # the router
                nameserver
                nameserver not-an-address
                nameserver\t127.0.0.53
                domain first.test
                search a.test b.test
                options rotate timeout:3 attempts:x ndots:99 edns0
                sortlist 1.2.3.4
                """
        )

        #expect(file.nameservers.map(\.zone) == ["eth0", nil])
        #expect(file.nameservers.map(\.address.description) == ["fe80::1", "127.0.0.53"])
        #expect(file.search.map(\.description) == ["a.test", "b.test"])
        #expect(file.rotates && file.timeout == .seconds(3) && file.attempts == 2 && file.ndots == 15)
    }

    @Test("Three servers are kept and no fourth; an empty file names none")
    func limits() {
        let file = ResolvConf(text: (1...4).map { "nameserver 10.0.0.\($0)\n" }.joined())

        #expect(file.nameservers.map(\.address.description) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
        #expect(ResolvConf(text: "") == ResolvConf())
    }

    @Test("Our own server is never asked, and all tries fit into the budget")
    func upstreams() {
        let file = ResolvConf(text: "nameserver 127.0.0.53\nnameserver 10.0.0.2\noptions timeout:5 attempts:3\n")
        let own = DNSUpstream(address: .v4(0x7f00_0035))

        let upstreams = DNSUpstreams(file, without: [own])

        #expect(upstreams.servers.map(\.description) == ["10.0.0.2:53"])
        #expect(upstreams.tryTimeout == .milliseconds(1500))
        #expect(DNSUpstreams().tryTimeout <= DNSUpstreams().budget)
    }

    @Test("A file is read; one that is missing gives nothing")
    func reading() async throws {
        try await withTemporaryDirectory { folder in
            #expect(ResolvConfWatch.read(folder + "/none") == nil)
        }
    }
}
