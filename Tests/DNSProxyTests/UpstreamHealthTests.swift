import DNSProxy
import MeshModel
import Testing

@Suite struct UpstreamHealthTests {
    private let first = DNSUpstream(address: .v4(0x0a00_0001))
    private let second = DNSUpstream(address: .v4(0x0a00_0002))

    private var upstreams: DNSUpstreams { DNSUpstreams(servers: [self.first, self.second], attempts: 2) }

    private func dead() -> UpstreamHealth {
        var health = UpstreamHealth([self.first, self.second])
        for second in 0..<3 {
            health.failed(self.first, sent: .seconds(second), now: .seconds(second + 1))
        }
        return health
    }

    @Test("A server that fails three times in a row, for two seconds, is passed over and asked last")
    func dies() {
        var health = UpstreamHealth([self.first, self.second])
        health.failed(self.first, sent: .seconds(0), now: .seconds(1))
        health.failed(self.first, sent: .seconds(1), now: .seconds(2))
        #expect(health.isAlive(self.first) && health.nextProbe == nil)

        health.failed(self.first, sent: .seconds(2), now: .seconds(3))

        #expect(!health.isAlive(self.first) && health.servers[self.first]?.deaths == 1)
        let order = UpstreamPlan(self.upstreams, health, now: .zero).tries.map(\.server)
        #expect(order == [self.second, self.second, self.first])
    }

    @Test("A burst of failures within a moment kills nobody, nor do slow names of a server that answers others")
    func survives() {
        var health = UpstreamHealth([self.first])
        for _ in 0..<10 { health.failed(self.first, sent: .zero, now: .milliseconds(1900)) }
        #expect(health.isAlive(self.first))

        for second in 3..<9 {
            health.answered(self.first, sent: nil, now: .milliseconds(second * 1000 + 500))
            health.failed(self.first, sent: .seconds(second), now: .seconds(second + 1))
        }
        #expect(health.isAlive(self.first))
    }

    @Test("A dead server is probed at growing distances, and one answer brings it back")
    func probes() {
        var health = self.dead()
        var times: [Duration] = []
        for _ in 0..<7 {
            guard let due = health.nextProbe else { break }
            times.append(due)
            #expect(health.probesDue(now: due - .milliseconds(1)).isEmpty)
            #expect(health.probesDue(now: due) == [self.first])
        }

        #expect(times.map { $0 - .seconds(3) } == [1, 3, 7, 15, 31, 61, 91].map { .seconds($0) })
        let wasDead = health.answered(self.first, sent: nil, now: .seconds(200))
        #expect(wasDead)
        #expect(health.isAlive(self.first) && health.nextProbe == nil)
        #expect(UpstreamPlan(self.upstreams, health, now: .zero).tries.map(\.server).prefix(1) == [self.first])
    }

    @Test("When all are dead, all are asked")
    func allDead() {
        var health = self.dead()
        for second in 0..<3 {
            health.failed(self.second, sent: .seconds(second), now: .seconds(second + 1))
        }

        let order = UpstreamPlan(self.upstreams, health, now: .zero).tries.map(\.server)

        #expect(order == [self.first, self.second, self.first, self.second])
    }

    @Test("The patience follows a server's speed, within bounds", arguments: [(1, 250), (100, 400), (900, 2000)])
    func patience(_ roundTrip: Int, _ expected: Int) {
        var health = UpstreamHealth([self.first])
        #expect(health.patience(self.first, max: .seconds(2)) == .seconds(1))

        health.answered(self.first, sent: .zero, now: .milliseconds(roundTrip))

        #expect(health.patience(self.first, max: .seconds(2)) == .milliseconds(expected))
    }

    @Test("A weakness of a server is taken for granted for an hour, then it is tried again")
    func weaknesses() {
        var health = UpstreamHealth([self.first, self.second])
        health.foundToLackEDNS(self.first, now: .seconds(10))
        health.foundToLoseCase(self.second, now: .seconds(20))
        func words(_ seconds: Int) -> [String] {
            UpstreamPlan(self.upstreams, health, now: .seconds(seconds)).tries.prefix(2).map { next in
                (next.hasEDNS ? "EDNS" : "-") + (next.hasRandomCase ? " case" : " -")
            }
        }

        #expect(words(21) == ["- case", "EDNS -"])
        #expect(words(3609) == ["- case", "EDNS -"])
        #expect(words(3610) == ["EDNS case", "EDNS -"])
        #expect(words(3620) == ["EDNS case", "EDNS case"])
        health.foundToKeepCase(self.second)
        #expect(words(30) == ["- case", "EDNS case"])
    }

    @Test("What is known of a server stays when others come and go")
    func updates() {
        var health = self.dead()

        health.update([self.first])

        #expect(!health.isAlive(self.first) && health.servers.count == 1)
    }

    @Test(
        "Servers are read as people write them",
        arguments: [
            ("10.0.0.1", "10.0.0.1:53"), ("10.0.0.1:5353", "10.0.0.1:5353"), ("fe80::1%eth0", "[fe80::1%eth0]:53"),
            ("[2001:db8::1]:54", "[2001:db8::1]:54"), ("tls://1.1.1.1", "tls://1.1.1.1:853#1.1.1.1"),
            ("tls://1.1.1.1:8853#one.one.one.one", "tls://1.1.1.1:8853#one.one.one.one"),
            ("tls://[::1]#dns.test", "tls://[::1]:853#dns.test"),
        ]
    )
    func reads(_ text: String, _ expected: String) { #expect(DNSUpstream(text)?.description == expected) }

    @Test(
        "What names no server is refused",
        arguments: [
            "", "dns.test", "10.0.0.1:", "fe80::1%", "10.0.0.1:65536", "[::1", "[::1]x", "10.0.0.1#a",
            "tls://1.1.1.1#",
        ]
    )
    func refuses(_ text: String) { #expect(DNSUpstream(text) == nil) }
}
