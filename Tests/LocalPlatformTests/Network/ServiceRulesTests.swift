import Foundation
import LocalPlatform
import MeshModel
import Testing

@Suite struct ServiceRulesTests {
    private func route(_ count: Int, transport: ServiceRoute.Transport = .tcp) throws -> ServiceRoute {
        ServiceRoute(
            name: "default/web:http",
            address: try #require(IPAddress("10.214.0.7")),
            port: 80,
            transport: transport,
            backends: (0..<count).map { .init(address: .v4(0x0AD5_0100 + UInt32($0)), port: 8080) }
        )
    }

    @Test("Each of three endpoints is picked with the same probability")
    func spreads() throws {
        let lines = ServiceRules(routes: [try self.route(3)]).restoreInput.split(separator: "\n").filter {
            $0.contains("-j DNAT")
        }

        #expect(lines.count == 3)
        #expect(lines[0].contains("--probability 0.3333333333 ") && lines[0].hasSuffix("10.213.1.0:8080"))
        #expect(lines[1].contains("--probability 0.5000000000 ") && lines[1].hasSuffix("10.213.1.1:8080"))
        #expect(!lines[2].contains("statistic") && lines[2].hasSuffix("10.213.1.2:8080"))
    }

    @Test("A service without endpoints has no chain, so that its packets are refused")
    func noEndpoints() throws {
        let text = ServiceRules(routes: [try self.route(0)]).restoreInput

        #expect(!text.contains("LATEEN-SVC-"))
        #expect(text.contains("-A LATEEN-REJECT -d 10.214.0.0/16 -p tcp -j REJECT --reject-with tcp-reset"))
    }

    @Test("Every chain that is used is declared in its table")
    func declared() throws {
        let text = ServiceRules(routes: [try self.route(2), try self.route(1, transport: .udp)]).restoreInput
        for table in text.split(separator: "COMMIT\n") {
            let lines = table.split(separator: "\n")
            let declared = Set(lines.filter { $0.hasPrefix(":") }.map { $0.dropFirst().prefix { $0 != " " } })
            for line in lines where line.hasPrefix("-A") {
                #expect(declared.contains(line.split(separator: " ")[1]), "\(line)")
                if let target = line.range(of: "-j LATEEN") {
                    #expect(declared.contains(line[line.index(target.lowerBound, offsetBy: 3)...]), "\(line)")
                }
            }
        }
    }

    @Test("What comes by the wire does not get to addresses inside of the cluster, before any Service is looked for")
    func wire() throws {
        for index in [0, 1] {
            let network = PlatformNetwork(cluster: index == 0 ? "main" : "west", index: index)
            let lines = ServiceRules(routes: [try self.route(1)], network: network).restoreInput.split(separator: "\n")

            let passed = lines.firstIndex(of: "-A LATEEN-SERVICES -i latwire0 -d \(network.serviceRange) -j RETURN")
            let served = lines.firstIndex(of: "-A LATEEN-SERVICES -d \(network.serviceRange) -j LATEEN-SERVICE-PORTS")
            #expect(try #require(passed) < #require(served))
            // Addresses for outside stay open to the wire.
            #expect(!lines.contains { $0.contains("-i latwire0 -d \(network.loadBalancerRange)") })
        }
    }

    @Test("Other clusters reach the world by the first one's address, and each other by their own")
    func masquerade() throws {
        let rule = "-A LATEEN-POSTROUTING -s 10.216.0.0/16 ! -d 10.216.0.0/16 ! -o lateen+ -j MASQUERADE"
        func lines(_ network: PlatformNetwork) -> [Substring] {
            ServiceRules(routes: [], network: network).restoreInput.split(separator: "\n")
        }

        #expect(lines(PlatformNetwork()).contains { $0 == rule })
        #expect(!lines(PlatformNetwork(cluster: "west", index: 1)).contains { $0 == rule })
    }

    @Test("A comment cannot break out of its quotes")
    func comment() throws {
        var route = try self.route(1)
        route.name = "a\"\n-j ACCEPT\\"

        #expect(ServiceRules(routes: [route]).restoreInput.contains("--comment \"a-j ACCEPT\" -j LATEEN-SVC-"))
    }

    @Test("What is ours is removed, and nothing else")
    func removal() throws {
        let saved = """
            *nat
            :PREROUTING ACCEPT [0:0]
            :LATEEN-SERVICES - [0:0]
            :DOCKER - [0:0]
            -A PREROUTING -j LATEEN-SERVICES
            -A PREROUTING -j DOCKER
            -A LATEEN-SERVICES -j RETURN
            COMMIT
            """

        #expect(
            HostRules.removal(of: saved, table: "nat") == """
                *nat
                :LATEEN-SERVICES - [0:0]
                -D PREROUTING -j LATEEN-SERVICES
                -X LATEEN-SERVICES
                COMMIT

                """
        )
        #expect(HostRules.removal(of: "*nat\n:DOCKER - [0:0]\n-A PREROUTING -j DOCKER\nCOMMIT", table: "nat") == nil)
    }
}
