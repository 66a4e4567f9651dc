import MeshModel
import Testing
import TrafficEngine

@Suite struct FilterChainTests {
    private func chain(_ name: String, _ configure: (inout FilterChainMatch) -> Void = { _ in }) -> FilterChain {
        var match = FilterChainMatch()
        configure(&match)
        return FilterChain(name: name, match: match, terminal: .tcp(TCPProxy(statPrefix: "", clusters: [])))
    }

    private func listener(_ chains: [FilterChain], fallback: FilterChain? = nil) -> Listener {
        Listener(
            name: "l",
            address: NetworkAddress(ip: .v4(0), port: 3306),
            chains: chains,
            defaultChain: fallback
        )
    }

    private func facts(_ ip: String, _ port: UInt16 = 3306) throws -> ConnectionFacts {
        ConnectionFacts(destination: NetworkAddress(ip: try #require(IPAddress(ip)), port: port))
    }

    private func block(_ text: String) throws -> CIDR { try #require(CIDR(text)) }

    @Test("The longest destination prefix wins, not the first (facts #25)")
    func longestPrefix() throws {
        let wide = try self.block("10.0.0.0/8")
        let narrow = try self.block("10.1.0.0/16")
        let listener = self.listener([
            self.chain("wide") { $0.destinationPrefixes = [wide] },
            self.chain("narrow") { $0.destinationPrefixes = [narrow] },
        ])

        #expect(listener.chain(for: try self.facts("10.1.2.3"))?.name == "narrow")
        #expect(listener.chain(for: try self.facts("10.2.2.3"))?.name == "wide")
        #expect(listener.chain(for: try self.facts("11.0.0.1")) == nil)
    }

    @Test("The destination port decides before everything else, without a way back")
    func portFirst() throws {
        let block = try self.block("10.0.0.0/8")
        let listener = self.listener(
            [
                self.chain("port") {
                    $0.destinationPort = 15006
                    $0.serverNames = ["never"]
                },
                self.chain("block") { $0.destinationPrefixes = [block] },
            ],
            fallback: self.chain("default")
        )

        #expect(listener.chain(for: try self.facts("10.0.0.1", 15006))?.name == "default")
        #expect(listener.chain(for: try self.facts("10.0.0.1", 80))?.name == "block")
        #expect(listener.chain(for: try self.facts("12.0.0.1", 80))?.name == "default")
    }

    @Test("Server names: exact, then the longest wildcard, then chains that ask for none")
    func serverNames() throws {
        let listener = self.listener([
            self.chain("none"),
            self.chain("com") { $0.serverNames = ["*.com"] },
            self.chain("example") { $0.serverNames = ["*.example.com"] },
            self.chain("exact") { $0.serverNames = ["www.example.com"] },
        ])
        func name(_ serverName: String?) throws -> String? {
            var facts = try self.facts("1.1.1.1")
            facts.serverName = serverName
            return listener.chain(for: facts)?.name
        }

        #expect(try name("www.example.com") == "exact")
        #expect(try name("a.b.example.com") == "example")
        #expect(try name("example.com") == "com")
        #expect(try name("example.org") == "none")
        #expect(try name(nil) == "none")
    }

    @Test("Transport and application protocols decide after names")
    func protocols() throws {
        let listener = self.listener(
            [
                self.chain("tls") { $0.transportProtocol = "tls" },
                self.chain("http") { $0.applicationProtocols = ["http/1.0", "http/1.1", "h2c"] },
            ],
            fallback: self.chain("tcp")
        )
        var facts = try self.facts("1.1.1.1")

        #expect(listener.chain(for: facts)?.name == "tcp")
        facts.applicationProtocols = ["http/1.1"]
        #expect(listener.chain(for: facts)?.name == "http")
        facts.isTLS = true
        #expect(listener.chain(for: facts)?.name == "tls")
    }

    @Test("Listeners are found by address and port, then by port, and never those that pass on")
    func listenerTable() throws {
        func listener(_ name: String, _ ip: String, _ port: UInt16, passesOn: Bool = false) throws -> Listener {
            Listener(
                name: name,
                address: NetworkAddress(ip: try #require(IPAddress(ip)), port: port),
                usesOriginalDestination: passesOn,
                chains: []
            )
        }
        let table = ListenerTable([
            try listener("virtualOutbound", "0.0.0.0", 15001, passesOn: true),
            try listener("any", "0.0.0.0", 80),
            try listener("one", "10.0.0.1", 80),
        ])
        func find(_ ip: String, _ port: UInt16) throws -> String? {
            table.listener(for: NetworkAddress(ip: try #require(IPAddress(ip)), port: port))?.name
        }

        #expect(try find("10.0.0.1", 80) == "one")
        #expect(try find("10.0.0.2", 80) == "any")
        #expect(try find("10.0.0.2", 81) == nil)
        #expect(try find("0.0.0.0", 15001) == nil)
        #expect(try find("::1", 80) == nil)
    }
}
