import Glibc
import Interception
import MeshModel
import Testing

/// The rules at work in a kernel, each test in a network namespace of its own.
@Suite(.enabled(if: NetworkNamespace.isPossible, Comment(rawValue: NetworkNamespace.skipReason)))
struct InterceptionNamespaceTests {
    private static func configuration() -> InterceptionConfiguration {
        var configuration = InterceptionConfiguration()
        configuration.dnsCapture = .servers(
            Set(["198.51.100.53", "2001:db8:53::53"].compactMap { IPAddress($0) })
        )
        configuration.outboundBlocksExcluded = Set(["203.0.113.0/24"].compactMap { CIDR($0) })
        configuration.interfacesExcluded = ["other0"]
        return configuration
    }

    @Test("Both families load; loading twice gives the same rules; removing leaves nothing, also twice")
    func loads() throws {
        try NetworkNamespace.with { namespace in
            let installer = InterceptionInstaller(prefix: namespace.prefix)
            let rules = try InterceptionRules(Self.configuration())
            let input = rules.restoreInput()
            for (program, text) in [("iptables-restore", input.v4), ("ip6tables-restore", input.v6)] {
                try NetworkNamespace.run(namespace.prefix + [program, "--test", "--noflush"], input: text)
            }

            try installer.install(rules)
            let first = try Self.rules(installer)
            try installer.install(rules)
            let second = try Self.rules(installer)
            var smaller = InterceptionConfiguration()
            smaller.dnsCapture = .off
            try installer.install(InterceptionRules(smaller))
            let withoutDNS = try Self.rules(installer)
            try installer.remove()
            try installer.remove()

            #expect(first.filter { $0.contains("-j ISTIO_INBOUND") }.count == 2)
            #expect(second == first)
            #expect(!withoutDNS.contains { $0.contains("DNS") })
            #expect(try Self.rules(installer).filter { $0.contains("ISTIO") }.isEmpty)
        }
    }

    @Test("What an application dials reaches the proxy, which learns where it wanted to go")
    func outboundIsRedirected() throws {
        try Self.installed { namespace in
            let destination = try namespace.inside {
                let proxy = try TestSocket(.tcp)
                try proxy.listen("0.0.0.0", 15001)
                let application = try TestSocket(.tcp)
                #expect(application.connect("198.51.100.7", 3306) == nil)
                return try proxy.accept().originalDestination()
            }

            #expect(destination == "198.51.100.7:3306")
        }
    }

    @Test("What the proxy dials goes out; what is excluded goes out as well")
    func proxyPasses() throws {
        try Self.installed { namespace in
            // Nobody answers out there: passing shows as a try that does not reach the listener.
            try namespace.ip("route add unreachable 198.51.100.7")
            try namespace.ip("route add unreachable 203.0.113.9")
            let failures = try namespace.inside {
                let proxy = try TestSocket(.tcp)
                try proxy.listen("0.0.0.0", 15001)
                let excluded = try TestSocket(.tcp).connect("203.0.113.9", 80)
                let own = try asUser(1337) { try TestSocket(.tcp).connect("198.51.100.7", 80) }
                return [excluded, own]
            }

            #expect(failures == [EHOSTUNREACH, EHOSTUNREACH])
        }
    }

    @Test("A call of the proxy to its own pod goes through inbound; its hand-over from 127.0.0.6 does not")
    func selfCalls() throws {
        try Self.installed { namespace in
            let (toPod, handedOver) = try namespace.inside {
                let inbound = try TestSocket(.tcp)
                try inbound.listen("0.0.0.0", 15006)
                let application = try TestSocket(.tcp)
                try application.listen("0.0.0.0", 9080)
                let outboundLeg = try asUser(1337) { try TestSocket(.tcp) }
                #expect(outboundLeg.connect("192.0.2.2", 9080) == nil)
                let toPod = try inbound.accept().originalDestination()
                let inboundLeg = try asUser(1337) { try TestSocket(.tcp) }
                try inboundLeg.bind("127.0.0.6", 0)
                #expect(inboundLeg.connect("192.0.2.2", 9080) == nil)
                _ = try application.accept()
                return (toPod, true)
            }

            #expect(toPod == "192.0.2.2:9080")
            #expect(handedOver)
        }
    }

    @Test("Queries to the server of resolv.conf reach the proxy and the answer seems to come from that server")
    func dnsIsRedirected() throws {
        try Self.installed { namespace in
            let (query, answer, sender) = try namespace.inside {
                let proxy = try asUser(1337) { try TestSocket(.udp) }
                try proxy.bind("127.0.0.1", 15053)
                let application = try TestSocket(.udp)
                try application.send("who", to: "198.51.100.53", 53)
                let (query, client) = try proxy.receive()
                try proxy.send("me", to: client.address, client.port)
                let (answer, sender) = try application.receive()
                return (query, answer, sender.address + ":\(sender.port)")
            }

            #expect(query == "who" && answer == "me" && sender == "198.51.100.53:53")
        }
    }

    @Test("Queries to other servers go out, and so do the proxy's own")
    func otherDNSGoesOut() throws {
        try Self.installed { namespace in
            try namespace.ip("address add 203.0.113.53/32 dev lo")
            try namespace.ip("address add 198.51.100.53/32 dev lo")
            let (others, own) = try namespace.inside {
                let other = try TestSocket(.udp)
                try other.bind("203.0.113.53", 53)
                let server = try TestSocket(.udp)
                try server.bind("198.51.100.53", 53)
                let application = try TestSocket(.udp)
                try application.send("elsewhere", to: "203.0.113.53", 53)
                let proxy = try asUser(1337) { try TestSocket(.udp) }
                try proxy.send("upstream", to: "198.51.100.53", 53)
                return (try other.receive().text, try server.receive().text)
            }

            #expect(others == "elsewhere" && own == "upstream")
        }
    }

    @Test("Queries over TCP reach the proxy as well")
    func dnsOverTCPIsRedirected() throws {
        try Self.installed { namespace in
            let destination = try namespace.inside {
                let proxy = try TestSocket(.tcp)
                try proxy.listen("127.0.0.1", 15053)
                let application = try TestSocket(.tcp)
                #expect(application.connect("198.51.100.53", 53) == nil)
                return try proxy.accept().originalDestination()
            }

            #expect(destination == "198.51.100.53:53")
        }
    }

    @Test("Over IPv6 all of that is the same: what is dialled, and queries over UDP and TCP")
    func overIPv6() throws {
        try Self.installed { namespace in
            try namespace.addIPv6()
            let (dialled, queried, said) = try namespace.inside {
                let proxy = try TestSocket(.tcp, .six)
                try proxy.listen("::", 15001)
                let application = try TestSocket(.tcp, .six)
                #expect(application.connect("2001:db8:7::7", 3306) == nil)
                let dialled = try proxy.accept().originalDestination(.six)

                let stream = try TestSocket(.tcp, .six)
                try stream.listen("::1", 15053)
                let client = try TestSocket(.tcp, .six)
                #expect(client.connect("2001:db8:53::53", 53) == nil)
                let queried = try stream.accept().originalDestination(.six)

                let names = try asUser(1337) { try TestSocket(.udp, .six) }
                try names.bind("::1", 15053)
                let stub = try TestSocket(.udp, .six)
                try stub.send("who", to: "2001:db8:53::53", 53)
                let (query, peer) = try names.receive()
                try names.send("me", to: peer.address, peer.port)
                let (answer, sender) = try stub.receive()
                return (dialled, queried, "\(query) \(answer) \(sender.address) \(sender.port)")
            }

            #expect(dialled == "2001:db8:7::7:3306")
            #expect(queried == "2001:db8:53::53:53")
            #expect(said == "who me 2001:db8:53::53 53")
        }
    }

    @Test("A resolver of this machine is captured, and what it asks itself goes out")
    func localResolver() throws {
        var configuration = InterceptionConfiguration()
        configuration.dnsCapture = try .init("resolv.conf", named: [.v4(0x7f00_0035)], asked: [.v4(0xcb00_7135)])
        let rules = try InterceptionRules(configuration)
        try NetworkNamespace.with { namespace in
            try InterceptionInstaller(prefix: namespace.prefix).install(rules)
            try namespace.ip("address add 203.0.113.53/32 dev lo")
            let (query, answer, upstream) = try namespace.inside {
                let proxy = try asUser(1337) { try TestSocket(.udp) }
                try proxy.bind("127.0.0.1", 15053)
                let server = try TestSocket(.udp)
                try server.bind("203.0.113.53", 53)
                let application = try TestSocket(.udp)
                try application.send("who", to: "127.0.0.53", 53)
                let (query, client) = try proxy.receive()
                try proxy.send("me", to: client.address, client.port)
                let answer = try application.receive()
                let resolver = try TestSocket(.udp)
                try resolver.send("further", to: "203.0.113.53", 53)
                return (query, "\(answer.text) \(answer.from.address)", try server.receive().text)
            }

            #expect(query == "who" && answer == "me 127.0.0.53" && upstream == "further")
        }
    }

    private static func installed(_ body: (NetworkNamespace) throws -> Void) throws {
        try NetworkNamespace.with { namespace in
            try InterceptionInstaller(prefix: namespace.prefix).install(InterceptionRules(Self.configuration()))
            try body(namespace)
        }
    }

    private static func rules(_ installer: InterceptionInstaller) throws -> [Substring] {
        let saved = try installer.saved()
        return (saved.v4 + saved.v6).split(separator: "\n").filter { $0.hasPrefix("-A") || $0.hasPrefix(":ISTIO") }
            .map { $0.hasPrefix(":") ? $0.prefix { $0 != "[" } : $0 }
    }
}
