import Foundation
import MeshModel

/// The bridges of the platform and the kernel's settings that they need.
package enum HostNetwork {
    /// Kernel settings; the value before is kept in a file, so that the last `down` can put it back.
    private static let settings = [
        "net/ipv4/ip_forward": "1",
        // A packet between two pods comes in and goes out at the same bridge; pods must not be told to talk directly.
        "net/ipv4/conf/lateen0/send_redirects": "0",
        "net/ipv4/conf/all/send_redirects": "0",
        "net/ipv4/conf/lateen0/rp_filter": "0",
        "net/ipv4/conf/lateen1/rp_filter": "0",
        "net/ipv4/conf/lateen0/route_localnet": "0",
    ]
    private static let restored = ["net/ipv4/ip_forward", "net/ipv4/conf/all/send_redirects"]

    /// Routes of this machine, others than ours, that overlap the platform's ranges.
    ///
    /// - Returns: a sentence for the user, or `nil` if all is free.
    package static func conflict(_ network: PlatformNetwork = PlatformNetwork()) async throws -> String? {
        Self.conflict(inRoutes: try await Tool.run(["ip", "-4", "route", "show", "table", "all"]), network)
    }

    package static func conflict(inRoutes routes: String, _ network: PlatformNetwork = PlatformNetwork()) -> String? {
        // Of a cluster with a machine of its own, this one sees the wire alone.
        let names =
            network.isFirst
            ? [network.podRange, network.serviceRange, PlatformNetwork.outsideRange, PlatformNetwork.wireRange]
            : [PlatformNetwork.wireRange]
        let wanted = names.compactMap { CIDR($0) }
        for line in routes.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let block = words.lazy.compactMap({ CIDR(String($0)) }).first, block.prefixLength > 0 else {
                continue
            }
            let device = words.firstIndex(of: "dev").flatMap { words.dropFirst($0 + 1).first } ?? ""
            if device.hasPrefix("lateen") || device == PlatformNetwork.wire { continue }
            for range in wanted where range.contains(block.network) || block.contains(range.network) {
                return "the network \(range) is in use on this machine (route `\(line)`); lateen needs "
                    + "\(names.joined(separator: ", ")): remove that route or its interface"
            }
        }
        return nil
    }

    /// Makes or repairs both bridges.
    package static func create(state: StateFolder, network: PlatformNetwork) async throws {
        try Self.remember()
        let existing = try await Tool.run(["ip", "-o", "link", "show", "type", "bridge"])
        for (bridge, address) in [
            (PlatformNetwork.podBridge, "\(network.gateway)/16"),
            (PlatformNetwork.outsideBridge, "\(PlatformNetwork.outsideGateway)/24"),
        ] {
            if !existing.contains(" \(bridge):") {
                try await Tool.run(["ip", "link", "add", bridge, "type", "bridge"])
            }
            try await Tool.run(["ip", "addr", "replace", address, "dev", bridge])
            try await Tool.run(["ip", "link", "set", bridge, "up"])
        }
        // Clients on the host then use the gateway's address, which every pod can answer.
        for range in [network.serviceRange, network.loadBalancerRange] {
            try await Tool.run([
                "ip", "route", "replace", range, "dev", PlatformNetwork.podBridge, "src", network.gateway,
            ])
        }
        for (name, value) in Self.settings { try Self.write(name, value) }
        // Where br_netfilter is loaded, packets between ports of one bridge would meet our rules twice.
        try? Self.write("net/bridge/bridge-nf-call-iptables", "0")
    }

    /// Removes every namespace, link and bridge of ours, also those of an earlier run.
    package static func removeAll(state: StateFolder, network: PlatformNetwork) async throws {
        try await Self.removeNamespaces(network)
        let links = try await Tool.run(["ip", "-o", "link", "show"])
        for device in Self.ourDevices(inLinks: links) { _ = try? await Tool.run(["ip", "link", "del", device]) }
        Self.putBack(after: state)
    }

    /// Removes the namespaces of pods and outside hosts.
    static func removeNamespaces(_ network: PlatformNetwork) async throws {
        let namespaces = try await Tool.run(["ip", "netns", "list"])
        for line in namespaces.split(separator: "\n") {
            let name = String(line.prefix { $0 != " " })
            if name.hasPrefix(network.namespacePrefix) { try await Tool.run(["ip", "netns", "del", name]) }
        }
    }

    package static func ourDevices(inLinks links: String) -> [String] {
        links.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 1 else { return nil }
            let name = words[1].prefix { $0 != "@" && $0 != ":" }
            let isOurs =
                name == PlatformNetwork.podBridge || name == PlatformNetwork.outsideBridge
                || ["ltn", "lto", "ltp"].contains { name.hasPrefix($0) && name.count == 11 }
            return isOurs ? String(name) : nil
        }
    }

    /// Of this machine and until it starts anew, as the settings are.
    private static let file = URL(fileURLWithPath: "/run/lateen.sysctl.json")

    private static func remember() throws {
        guard !FileManager.default.fileExists(atPath: Self.file.path) else { return }
        var before: [String: String] = [:]
        for name in Self.restored {
            before[name] = try String(contentsOfFile: "/proc/sys/\(name)", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        try JSONEncoder().encode(before).write(to: Self.file, options: .atomic)
    }

    /// Puts settings back after a cluster has gone, unless others are left that need them: whatever leaves the machines of
    /// further clusters goes through this one.
    package static func putBack(after state: StateFolder) {
        // Without a file, or with one that nobody can read, there is nothing to put back; a setting that has gone meanwhile
        // keeps the others from nothing.
        guard Daemon.running(besides: state).isEmpty, let data = try? Data(contentsOf: Self.file),
            let before = try? JSONDecoder().decode([String: String].self, from: data)
        else { return }
        for (name, value) in before { try? Self.write(name, value) }
        try? FileManager.default.removeItem(at: Self.file)
    }

    private static func write(_ name: String, _ value: String) throws {
        do {
            try Data(value.utf8).write(to: URL(fileURLWithPath: "/proc/sys/\(name)"))
        } catch {
            throw PlatformError("cannot set /proc/sys/\(name) to \(value): \(error.localizedDescription)")
        }
    }
}
