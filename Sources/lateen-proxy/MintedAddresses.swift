import DNSProxy
import Foundation
import MeshModel
import ProxyRuntime
import TrafficEngine

/// The runtime's view of the addresses that the DNS beside it gave to names under wildcards.
struct MintedAddresses: MintedNaming {
    let names: MintedNames

    func connectionOpened(_ address: IPAddress) -> String? { self.names.connectionOpened(address) }

    func connectionClosed(_ address: IPAddress) { self.names.connectionClosed(address) }

    /// What `/dns/vips` says.
    var page: String {
        struct Line: Codable {
            var name: String
            var addresses: [String]
            var connections: Int
            var unusedSeconds: Int
        }
        let lines = self.names.lines.map {
            Line(
                name: $0.name,
                addresses: $0.addresses.map(\.description),
                connections: $0.connections,
                unusedSeconds: Int($0.unused.components.seconds)
            )
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Numbers and texts can always be written.
        guard let data = try? encoder.encode(lines) else { return "[]\n" }
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}
