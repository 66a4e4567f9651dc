import DNSProxy
import DNSWire
import Foundation
import MeshModel
import MeshTestSupport
import Testing

@Suite struct ResolvConfTests {
    @Test(
        "A server of the same machine asks those whom local resolvers ask, so that nothing goes in a circle",
        arguments: [
            // systemd-resolved names its own servers; without that it is asked itself.
            ("127.0.0.53", "10.0.0.1 10.0.0.2", "10.0.0.1 10.0.0.2"), ("127.0.0.53", nil, "127.0.0.53"),
            ("127.0.0.54 127.0.0.53", "127.0.0.53", "127.0.0.54 127.0.0.53"),
            // dnsmasq tells nobody.
            ("127.0.0.1", "10.0.0.1", "127.0.0.1"), ("127.0.0.1 10.0.0.9", nil, "10.0.0.9"),
            ("::1 2001:db8::1", nil, "2001:db8::1"), ("10.0.0.3", "10.0.0.1", "10.0.0.3"), ("", nil, ""),
        ] as [(String, String?, String)]
    )
    func forUpstream(_ servers: String, _ resolved: String?, _ expected: String) {
        func file(_ servers: String) -> ResolvConf {
            ResolvConf(text: servers.split(separator: " ").map { "nameserver \($0)\n" }.joined())
        }

        let found = file(servers).forUpstream { path in
            path == ResolvConf.stubUpstreams ? resolved.map { file($0) } : nil
        }

        #expect(found.nameservers.map(\.address.description).joined(separator: " ") == expected)
    }

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
        // Nothing is known of the server: the next try does not wait long.
        let tries = UpstreamPlan(upstreams, UpstreamHealth(upstreams.servers), now: .zero).tries
        #expect(tries.count == 3 && tries.map(\.patience) == Array(repeating: .seconds(1), count: 3))
        #expect(UpstreamPlan(DNSUpstreams(), UpstreamHealth([]), now: .zero).tries.isEmpty)
    }

    @Test("A file is read; one that is missing gives nothing")
    func reading() async throws {
        try await withTemporaryDirectory { folder in
            #expect(ResolvConfWatch.read(folder + "/none") == nil)
        }
    }

    @Test("A file is followed: its servers and its search domains")
    func follows() async throws {
        try await withTemporaryDirectory { folder in
            let path = folder + "/resolv.conf"
            let (files, found) = AsyncStream.makeStream(of: ResolvConf.self)
            let watch = ResolvConfWatch(path: path, interval: .milliseconds(1)) { found.yield($0) }
            let texts = [
                "nameserver 10.0.0.2\n", "nameserver 10.0.0.2\nsearch a.test\n", "nameserver 10.0.0.3\nsearch a.test\n",
            ]

            let seen = try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await watch.run() }
                var seen: [ResolvConf] = []
                var next = files.makeAsyncIterator()
                for text in texts {
                    try text.write(toFile: path, atomically: true, encoding: .utf8)
                    if let file = await next.next() { seen.append(file) }
                }
                tasks.cancelAll()
                return seen
            }

            #expect(seen == texts.map { ResolvConf(text: $0) })
        }
    }

    @Test("A file that is missing or names nobody is no list of servers: it says which file, and what to do")
    func servers() async throws {
        try await withTemporaryDirectory { folder in
            let path = folder + "/resolv.conf"
            for text in [nil, "", "search a.test\n", "nameserver\n"] {
                if let text { try text.write(toFile: path, atomically: false, encoding: .utf8) }
                let error = #expect(throws: ResolvConfWatch.NoServers.self) { try ResolvConfWatch.servers(of: path) }
                #expect(error?.description.hasPrefix(path) == true)
            }
            try "nameserver 10.0.0.2\nnameserver ::2\n".write(toFile: path, atomically: false, encoding: .utf8)
            #expect(try ResolvConfWatch.servers(of: path).map(\.description) == ["10.0.0.2", "::2"])
        }
    }
}
