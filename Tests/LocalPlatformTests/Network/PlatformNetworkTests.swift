import Foundation
import LocalPlatform
import MeshModel
import Testing

@Suite struct PlatformNetworkTests {
    @Test("No two clusters share a range, an address or a name")
    func apart() throws {
        let networks = PlatformNetwork.indexes.map {
            PlatformNetwork(cluster: $0 == 0 ? PlatformNetwork.firstCluster : "c\($0)", index: $0)
        }
        let ranges = try networks.flatMap { [$0.podRange, $0.serviceRange, $0.loadBalancerRange] }.map {
            try #require(CIDR($0))
        }

        for (index, range) in ranges.enumerated() {
            for other in ranges.dropFirst(index + 1) { #expect(!range.overlaps(other), "\(range) and \(other)") }
        }
        #expect(Set(networks.map(\.machineAddress)).count == networks.count)
        for network in networks {
            for other in networks where other != network {
                #expect(!network.namespacePrefix.hasPrefix(other.namespacePrefix))
            }
        }
    }

    @Test("The first cluster keeps the addresses that guides and tests name")
    func first() {
        let network = PlatformNetwork()

        #expect(network.podRange == "10.213.0.0/16")
        #expect(network.serviceRange == "10.214.0.0/16")
        #expect(network.gateway == "10.213.0.1")
        #expect(network.namespacePrefix == "lateen-")
    }

    @Test(
        "Names of clusters are labels",
        arguments: [
            ("west", true), ("w2-b", true), (String(repeating: "a", count: 30), true),
            (String(repeating: "a", count: 31), false), ("", false), ("-a", false), ("a-", false), ("a.b", false),
            ("West", false), ("../x", false),
        ]
    )
    func names(_ name: String, _ isGood: Bool) { #expect(PlatformNetwork.isClusterName(name) == isGood) }

    @Test("A new cluster gets the lowest number that is free, never the first cluster's")
    func numbers() {
        func settings(_ index: Int) -> PlatformSettings {
            PlatformSettings(deployFolder: "", programFolder: "", images: [], manifests: [], index: index)
        }

        #expect(PlatformSettings.freeIndex(besides: []) == 1)
        #expect(PlatformSettings.freeIndex(besides: [settings(1), settings(3)]) == 2)
        #expect(PlatformSettings.freeIndex(besides: PlatformNetwork.indexes.map(settings)) == nil)
    }

    @Test("The state of another cluster lies beside the first one's")
    func folders() {
        let environment = ["LATEEN_HOME": "/var/tmp/mesh"]

        #expect(StateFolder(environment: environment).path == "/var/tmp/mesh")
        #expect(StateFolder(environment: environment, cluster: "west").path == "/var/tmp/mesh-west")
        #expect(StateFolder(environment: environment, cluster: "west").home.path == "/var/tmp/mesh")
    }

    @Test("A further cluster has a machine on the wire, the first one has the machine itself")
    func machine() throws {
        #expect(ClusterMachine(PlatformNetwork()) == nil)

        let machine = try #require(ClusterMachine(PlatformNetwork(cluster: "west", index: 1)))

        #expect(machine.namespaceFile == "/run/netns/lateen.west")
        #expect(machine.innerCommands.contains("addr add 10.216.0.2/24 dev latwire0"))
        #expect(machine.innerCommands.last == "route add default via 10.216.0.1 dev latwire0")
        #expect(machine.outerCommands(hasWire: false).first == "link add latwire0 type bridge")
        #expect(!machine.outerCommands(hasWire: true).contains("link add latwire0 type bridge"))
        #expect(machine.outerCommands(hasWire: true).last == "route replace 10.216.2.0/24 via 10.216.0.2 dev latwire0")
    }
}
