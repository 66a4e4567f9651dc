import Interception
import MeshModel
import Testing

@Suite struct InterceptionRulesTests {
    @Test("By default everything is redirected but what the proxy itself sends")
    func defaults() throws {
        let text = try InterceptionRules(InterceptionConfiguration()).restoreInput().v4

        #expect(
            text == """
                *nat
                :ISTIO_INBOUND - [0:0]
                :ISTIO_IN_REDIRECT - [0:0]
                :ISTIO_OUTPUT - [0:0]
                :ISTIO_REDIRECT - [0:0]
                -A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN
                -A ISTIO_INBOUND -p tcp --dport 15020 -j RETURN
                -A ISTIO_INBOUND -p tcp --dport 15021 -j RETURN
                -A ISTIO_INBOUND -p tcp --dport 15090 -j RETURN
                -A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
                -A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
                -A PREROUTING -p tcp -j ISTIO_INBOUND
                -A ISTIO_OUTPUT -s 127.0.0.6/32 -o lo -j RETURN
                -A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT
                -A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT
                -A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 ! --gid-owner 1337 -j RETURN
                -A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
                -A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN
                -A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
                -A ISTIO_OUTPUT -p tcp -j ISTIO_REDIRECT
                -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
                -A OUTPUT -p tcp -j ISTIO_OUTPUT
                COMMIT

                """
        )
    }

    @Test("IPv6 gets its own addresses, or nothing at all")
    func families() throws {
        var configuration = InterceptionConfiguration()
        configuration.outboundBlocks = .only(Set(["10.0.0.0/8", "2001:db8::/32"].compactMap { CIDR($0) }))
        let both = try InterceptionRules(configuration).restoreInput()
        configuration.coversIPv6 = false
        let four = try InterceptionRules(configuration).restoreInput()

        #expect(both.v4.contains("-d 10.0.0.0/8 -j ISTIO_REDIRECT") && !both.v4.contains("2001"))
        #expect(both.v6.contains("-d 2001:db8::/32 -j ISTIO_REDIRECT") && !both.v6.contains("10.0.0.0"))
        #expect(both.v6.contains("-s ::6/128 -o lo -j RETURN") && both.v6.contains("-d ::1/128 -j RETURN"))
        #expect(four.v4 == both.v4 && four.v6.isEmpty)
    }

    @Test("What is excluded returns before anything is redirected")
    func exclusions() throws {
        var configuration = InterceptionConfiguration()
        configuration.outboundPortsExcluded = Set([3306].compactMap { Port($0) })
        configuration.outboundBlocksExcluded = Set(["10.1.0.0/16"].compactMap { CIDR($0) })
        configuration.outboundPortsIncluded = Set([443].compactMap { Port($0) })
        configuration.interfacesExcluded = ["eth1"]

        let lines = try InterceptionRules(configuration).restoreInput().v4.split(separator: "\n")

        func position(_ rule: String) throws -> Int { try #require(lines.firstIndex { $0 == rule }) }
        let redirect = try position("-A ISTIO_OUTPUT -p tcp -j ISTIO_REDIRECT")
        #expect(try position("-A ISTIO_OUTPUT -p tcp --dport 3306 -j RETURN") < redirect)
        #expect(try position("-A ISTIO_OUTPUT -d 10.1.0.0/16 -j RETURN") < redirect)
        #expect(try position("-A ISTIO_OUTPUT -p tcp --dport 443 -j ISTIO_REDIRECT") < redirect)
        #expect(try position("-A ISTIO_OUTPUT -o eth1 -j RETURN") < redirect)
        #expect(
            try position("-A ISTIO_INBOUND -i eth1 -j RETURN")
                < position("-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT")
        )
    }

    @Test("Addresses that the mesh made up are redirected whatever is named or excluded")
    func virtualAddresses() throws {
        var configuration = InterceptionConfiguration()
        configuration.outboundBlocks = .only(Set(["10.0.0.0/8"].compactMap { CIDR($0) }))
        configuration.outboundPortsExcluded = Set([3306].compactMap { Port($0) })
        configuration.outboundBlocksExcluded = Set(["240.0.0.0/4"].compactMap { CIDR($0) })

        let text = try InterceptionRules(configuration).restoreInput()

        let lines = text.v4.split(separator: "\n")
        func position(_ rule: String) throws -> Int { try #require(lines.firstIndex { $0 == rule }) }
        for block in ["240.240.0.0/16", "240.241.0.0/16", "240.242.0.0/16"] {
            let redirect = try position("-A ISTIO_OUTPUT -p tcp -d \(block) -j ISTIO_REDIRECT")
            #expect(try position("-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN") < redirect)
            #expect(try redirect < position("-A ISTIO_OUTPUT -p tcp --dport 3306 -j RETURN"))
            #expect(try redirect < position("-A ISTIO_OUTPUT -d 240.0.0.0/4 -j RETURN"))
        }
        #expect(text.v6.contains("-A ISTIO_OUTPUT -p tcp -d 2001:2::/48 -j ISTIO_REDIRECT"))
    }

    @Test("Only named inbound ports are redirected if some are named")
    func inboundPorts() throws {
        var configuration = InterceptionConfiguration()
        configuration.inboundPorts = .only(Set([80, 15021].compactMap { Port($0) }))

        let text = try InterceptionRules(configuration).restoreInput().v4

        #expect(text.contains("-A ISTIO_INBOUND -p tcp --dport 80 -j ISTIO_IN_REDIRECT"))
        #expect(!text.contains("--dport 15021 -j ISTIO_IN_REDIRECT"))
        #expect(!text.contains("-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT"))
    }

    @Test("DNS goes to the proxy for the servers of resolv.conf only, each family its own")
    func dnsServers() throws {
        var configuration = InterceptionConfiguration()
        configuration.dnsCapture = .servers(Set(["10.214.0.10"].compactMap { IPAddress($0) }))

        let (v4, v6) = try InterceptionRules(configuration).restoreInput()

        #expect(v4.contains("-A ISTIO_OUTPUT_DNS -p udp --dport 53 -d 10.214.0.10 -j REDIRECT --to-ports 15053"))
        #expect(v4.contains("-A ISTIO_OUTPUT_DNS -p tcp --dport 53 -d 10.214.0.10 -j REDIRECT --to-ports 15053"))
        #expect(v4.contains("-A ISTIO_OUTPUT_DNS -p udp --dport 53 -d 10.214.0.10 -j CT --zone 2"))
        #expect(v4.contains("-A ISTIO_PREROUTING_DNS -p udp --sport 53 -s 10.214.0.10 -j CT --zone 1"))
        #expect(!v6.contains("15053"))
    }

    @Test(
        "Servers of both families, and resolvers of this machine, are captured over UDP and TCP; the proxy's queries pass"
    )
    func dnsOfBothFamilies() throws {
        var configuration = InterceptionConfiguration()
        configuration.dnsCapture = .servers(Set(["127.0.0.53", "2001:db8::53"].compactMap { IPAddress($0) }))

        let (v4, v6) = try InterceptionRules(configuration).restoreInput()

        for (text, server) in [(v4, "127.0.0.53"), (v6, "2001:db8::53")] {
            let lines = text.split(separator: "\n").map(String.init)
            for transport in ["udp", "tcp"] {
                let rule = "-A ISTIO_OUTPUT_DNS -p \(transport) --dport 53 -d \(server) -j REDIRECT --to-ports 15053"
                let redirect = try #require(lines.firstIndex(of: rule))
                for owner in ["--uid-owner 1337", "--gid-owner 1337"] {
                    let pass = try #require(lines.firstIndex(of: "-A ISTIO_OUTPUT_DNS -m owner \(owner) -j RETURN"))
                    #expect(pass < redirect)
                }
            }
            // Before loopback is left alone, or a resolver of this machine would not be captured.
            let jump = try #require(lines.firstIndex(of: "-A ISTIO_OUTPUT -p tcp --dport 53 -j ISTIO_OUTPUT_DNS"))
            let local = try #require(lines.firstIndex { $0.hasPrefix("-A ISTIO_OUTPUT -o lo -m owner ! ") })
            #expect(jump < local)
            #expect(lines.contains("-A OUTPUT -p udp --dport 53 -j ISTIO_OUTPUT_DNS"))
            #expect(lines.contains("-A ISTIO_OUTPUT_DNS -p udp --dport 53 -d \(server) -j CT --zone 2"))
            #expect(lines.contains("-A ISTIO_PREROUTING_DNS -p udp --sport 53 -s \(server) -j CT --zone 1"))
        }
    }

    @Test("Setting up again takes the old jumps out first, and chains that are no longer wanted too")
    func replaces() throws {
        let saved = """
            # Generated by iptables-save
            *nat
            :PREROUTING ACCEPT [0:0]
            :OUTPUT ACCEPT [0:0]
            :ISTIO_INBOUND - [0:0]
            :ISTIO_OUTPUT_DNS - [0:0]
            :OTHER - [0:0]
            -A PREROUTING -p tcp -j ISTIO_INBOUND
            -A OUTPUT -p udp -m udp --dport 53 -j ISTIO_OUTPUT_DNS
            -A OUTPUT -j OTHER
            -A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
            COMMIT
            *raw
            :ISTIO_OUTPUT_DNS - [0:0]
            -A OUTPUT -p udp -j ISTIO_OUTPUT_DNS
            COMMIT
            """

        let text = try InterceptionRules(InterceptionConfiguration()).restoreInput(replacing: SavedRules(v4: saved)).v4

        #expect(
            text.hasPrefix(
                """
                *nat
                -D PREROUTING -p tcp -j ISTIO_INBOUND
                -D OUTPUT -p udp -m udp --dport 53 -j ISTIO_OUTPUT_DNS
                :ISTIO_INBOUND
                """
            )
        )
        #expect(text.contains("-X ISTIO_OUTPUT_DNS\n"))
        #expect(!text.contains("OTHER"))
        #expect(
            text.hasSuffix(
                "*raw\n-D OUTPUT -p udp -j ISTIO_OUTPUT_DNS\n-F ISTIO_OUTPUT_DNS\n-X ISTIO_OUTPUT_DNS\nCOMMIT\n"
            )
        )
    }

    @Test("Cleaning up where nothing is set up does nothing")
    func cleanupOfNothing() {
        let saved = SavedRules(v4: "*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j OTHER\nCOMMIT\n")

        #expect(saved.cleanup() == ("", ""))
    }
}
