import MeshModel
import Testing
import TrafficEngine

@Suite struct MintedChainTests {
    @Test("Connections to an address that was given to a name enter the chain of that name's wildcard")
    func chains() throws {
        let listener = try Self.listener(["*.rds.test", "*.db.test"])

        #expect(listener.chain(for: try Self.facts("240.241.0.9", name: "one.rds.test"))?.name == "*.rds.test")
        #expect(listener.chain(for: try Self.facts("2001:2:1::9", name: "a.b.db.test"))?.name == "*.db.test")
        #expect(listener.chain(for: try Self.facts("240.241.0.9", name: "else.test"))?.name == "default")
        #expect(listener.chain(for: try Self.facts("10.0.0.9", name: "one.rds.test"))?.name == "default")
    }

    @Test("The wildcards and blocks of all listeners are what the proxy gives addresses to and from")
    func wildcards() throws {
        let state = ProxyState(listeners: [try Self.listener(["*.rds.test"]), try Self.listener(["*.db.test"])])

        #expect(state.mintedWildcards.names == ["*.db.test", "*.rds.test"])
        #expect(state.mintedWildcards.blocks.map(\.description) == ["240.241.0.0/16", "2001:2:1::/48"])
        #expect(state.listeners[0].mints(.v4(0xF0F1_0001)) && !state.listeners[0].mints(.v4(0xF0F0_0001)))
    }

    @Test("Chains that ask TLS for a name, or for an address alone, give nobody an address")
    func others() throws {
        var name = FilterChainMatch()
        name.serverNames = ["*.rds.test"]
        var block = FilterChainMatch()
        block.destinationPrefixes = [try #require(CIDR("240.241.0.0/16"))]
        block.transportProtocol = "raw_buffer"

        #expect(!name.isMinted && !block.isMinted)
    }

    private static func facts(_ text: String, name: String) throws -> ConnectionFacts {
        let address = NetworkAddress(ip: try #require(IPAddress(text)), port: 3306)
        return ConnectionFacts(destination: address, serverName: name)
    }

    private static func listener(_ names: [String]) throws -> Listener {
        let blocks = try ["240.241.0.0/16", "2001:2:1::/48"].map { try #require(CIDR($0)) }
        func chain(_ name: String, _ match: FilterChainMatch) -> FilterChain {
            let proxy = TCPProxy(
                statPrefix: name,
                clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: name)]
            )
            return FilterChain(name: name, match: match, terminal: .tcp(proxy))
        }
        return Listener(
            name: "0.0.0.0_3306",
            address: NetworkAddress(ip: .v4(0), port: 3306),
            isBound: false,
            chains: names.map { name in
                var match = FilterChainMatch()
                match.destinationPrefixes = blocks
                match.serverNames = [name]
                match.transportProtocol = "raw_buffer"
                return chain(name, match)
            },
            defaultChain: chain("default", FilterChainMatch())
        )
    }
}
