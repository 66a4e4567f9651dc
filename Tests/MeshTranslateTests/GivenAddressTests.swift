import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct GivenAddressTests {
    private static let first = "mysql-instance1.us-east-1.rds.amazonaws.com"
    private static let second = "mysql-instance2.us-east-1.rds.amazonaws.com"

    @Test("Two databases on one port have a listener each, which leads to exactly that host, and a name each")
    func databases() throws {
        var mesh = MeshBuilder()
        try mesh.entry(Self.first, namespace: "ns1", port: 3306, .tcp, resolution: .dns(roundRobin: false))
        try mesh.entry(Self.second, namespace: "ns1", port: 3306, .tcp, resolution: .dns(roundRobin: false))
        try mesh.give(Self.first, "240.240.11.7", "2001:2::7")
        try mesh.give(Self.second, "240.240.80.9", "2001:2::9")

        let resources = try mesh.resources()

        for (host, addresses) in [
            (Self.first, ["240.240.11.7", "2001:2::7"]), (Self.second, ["240.240.80.9", "2001:2::9"]),
        ] {
            for address in addresses {
                let listener = try #require(
                    resources.listeners.first { $0.address.socketAddress.address == address }
                )
                #expect(listener.name == "\(address)_3306")
                #expect(listener.address.socketAddress.portValue == 3306)
                #expect(listener.filterChains.isEmpty)
                #expect(try listener.defaultFilterChain.tcpCluster() == "outbound|3306||\(host)")
            }
            #expect(resources.nameTable.table[host]?.ips == addresses)
            #expect(resources.clusters.contains { $0.name == "outbound|3306||\(host)" && $0.type == .strictDns })
        }
        #expect(!resources.listeners.contains { $0.name == "0.0.0.0_3306" })
    }

    @Test("TLS to a real address of the host is still told by its name")
    func serverNames() throws {
        var mesh = MeshBuilder()
        try mesh.entry("secure.test", port: 443, .tls, resolution: .dns(roundRobin: false))
        try mesh.give("secure.test", "240.240.0.1")

        let listeners = try mesh.resources().listeners

        let own = try #require(listeners.first { $0.name == "240.240.0.1_443" })
        #expect(try own.defaultFilterChain.tcpCluster() == "outbound|443||secure.test")
        let shared = try #require(listeners.first { $0.name == "0.0.0.0_443" })
        let chain = try #require(shared.filterChains.first { $0.filterChainMatch.serverNames == ["secure.test"] })
        #expect(try chain.tcpCluster() == "outbound|443||secure.test")
    }

    @Test("An address that the host no longer has is served and not answered")
    func former() throws {
        var mesh = MeshBuilder()
        try mesh.entry("db.test", addresses: ["10.1.1.1"], port: 3306, .tcp, resolution: .dns(roundRobin: false))
        mesh.edit { $0.services[0].formerAddresses = [.v4(0xF0F0_0009)] }

        let resources = try mesh.resources()

        #expect(resources.nameTable.table["db.test"]?.ips == ["10.1.1.1"])
        let listener = try #require(resources.listeners.first { $0.name == "240.240.0.9_3306" })
        #expect(try listener.defaultFilterChain.tcpCluster() == "outbound|3306||db.test")
    }
}

@Suite struct MintedAddressTests {
    @Test("A proxy that gives addresses to names leads each wildcard's on its own, without a look at the first bytes")
    func wildcards() throws {
        let mesh = try Self.mesh()

        let listener = try #require(
            try mesh.resources(mintsAddresses: true).listeners.first { $0.name == "0.0.0.0_3306" }
        )

        let minted = listener.filterChains.filter { $0.filterChainMatch.transportProtocol == "raw_buffer" }
        #expect(minted.map(\.filterChainMatch.serverNames) == [["*.rds.test"], ["*.db.test"]])
        #expect(try minted.map { try $0.tcpCluster() } == ["outbound|3306||*.rds.test", "outbound|3306||*.db.test"])
        #expect(minted[0].filterChainMatch.prefixRanges.map(\.addressPrefix) == ["240.241.0.0", "2001:2:1::"])
        #expect(listener.listenerFilters.isEmpty)
        // What the entry with NONE allows besides; the one with DNS allows names alone.
        #expect(try listener.defaultFilterChain.tcpCluster() == "outbound|3306||*.db.test")
    }

    @Test("Any other proxy connects to where applications dial, and sees nothing of it")
    func envoy() throws {
        let resources = try Self.mesh().resources()

        let listener = try #require(resources.listeners.first { $0.name == "0.0.0.0_3306" })
        #expect(listener.filterChains.isEmpty)
        #expect(try listener.defaultFilterChain.tcpCluster() == "outbound|3306||*.rds.test")
        #expect(resources.clusters.filter { $0.name.contains("*") }.allSatisfy { $0.type == .originalDst })
    }

    @Test("A wildcard of TLS alone is told by the name in the hello, as ever")
    func serverNames() throws {
        var mesh = MeshBuilder()
        try mesh.entry("*.wiki.test", port: 443, .tls)

        let listener = try #require(
            try mesh.resources(mintsAddresses: true).listeners.first { $0.name == "0.0.0.0_443" }
        )

        #expect(listener.filterChains.map(\.filterChainMatch.transportProtocol) == [""])
        #expect(listener.filterChains.map(\.filterChainMatch.serverNames) == [["*.wiki.test"]])
    }

    private static func mesh() throws -> MeshBuilder {
        var mesh = MeshBuilder()
        try mesh.entry("*.rds.test", port: 3306, .tcp)
        mesh.edit { $0.services[0].resolvesDialledNames = true }
        try mesh.entry("*.db.test", port: 3306, .mysql)
        return mesh
    }
}

extension MeshBuilder {
    fileprivate mutating func give(_ text: String, _ addresses: String...) throws {
        let blocks = try addresses.map { CIDR(try address($0)) }
        self.edit { snapshot in
            for index in snapshot.services.indices where snapshot.services[index].host.text == text {
                snapshot.services[index].addresses = blocks
                snapshot.services[index].hasGivenAddresses = true
            }
        }
    }
}

extension Envoy_Config_Listener_V3_FilterChain {
    fileprivate func tcpCluster() throws -> String {
        let filter = try #require(self.filters.last)
        return try Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy(unpackingAny: filter.typedConfig).cluster
    }
}
