import Foundation

/// The machine of a further cluster: a network namespace with bridges, rules, routes and ports of its own, and a wire to
/// the machine around it. Nothing of one cluster's network is seen in another's.
package struct ClusterMachine: Sendable, Hashable {
    package let network: PlatformNetwork

    /// - Returns: `nil` for the first cluster, which has the machine itself.
    package init?(_ network: PlatformNetwork) {
        guard !network.isFirst else { return nil }
        self.network = network
    }

    package var namespaceFile: String { "/run/netns/\(self.network.machineNamespace)" }

    /// This side's end of the wire; at most 15 bytes.
    private var device: String { "ltw\(PodLink.hash(self.network.cluster))" }

    /// What `ip -batch` does on this side. The wire is a bridge here, which all machines hang on.
    package func outerCommands(hasWire: Bool) -> [String] {
        let first = PlatformNetwork().machineAddress
        let inside = "lti\(self.device.dropFirst(3))"
        return (hasWire ? [] : ["link add \(PlatformNetwork.wire) type bridge"]) + [
            "addr replace \(first)/24 dev \(PlatformNetwork.wire)",
            "link set \(PlatformNetwork.wire) up",
            "link add \(self.device) type veth peer name \(inside)",
            "link set \(inside) netns \(self.network.machineNamespace)",
            "link set \(self.device) master \(PlatformNetwork.wire) up",
            "route replace \(self.network.loadBalancerRange) via \(self.network.machineAddress) dev \(PlatformNetwork.wire)",
        ]
    }

    /// What `ip -batch` does inside. All that is not of this cluster goes by the wire: other clusters, and the world.
    package var innerCommands: [String] {
        [
            "link set lo up",
            "link set lti\(self.device.dropFirst(3)) name \(PlatformNetwork.wire)",
            "addr add \(self.network.machineAddress)/24 dev \(PlatformNetwork.wire)",
            "link set \(PlatformNetwork.wire) up",
            "route add default via \(PlatformNetwork().machineAddress) dev \(PlatformNetwork.wire)",
        ]
    }

    /// Makes the machine; one that is there already is made anew, with nothing in it.
    package func create() async throws {
        try await self.remove(keepsWire: true)
        let links = try await Tool.run(["ip", "-o", "link", "show", "type", "bridge"])
        try await Tool.run(["ip", "netns", "add", self.network.machineNamespace])
        try await Tool.run(
            ["ip", "-batch", "-"],
            input: self.outerCommands(hasWire: links.contains(" \(PlatformNetwork.wire):")).joined(separator: "\n")
                + "\n"
        )
        // The new end must be found by those who are inside; `ip netns exec` would hide later namespaces from others.
        try await Tool.run(
            ["nsenter", "--net=\(self.namespaceFile)", "ip", "-batch", "-"],
            input: self.innerCommands.joined(separator: "\n") + "\n"
        )
    }

    /// Removes the machine, and the wire with the last of them.
    package func remove(keepsWire: Bool = false) async throws {
        let links = try await Tool.run(["ip", "-o", "link", "show"])
        let hasDevice = links.contains(" \(self.device)@")
        let hasNamespace = FileManager.default.fileExists(atPath: self.namespaceFile)
        // It may go by itself meanwhile, with its other end.
        if hasDevice { _ = try? await Tool.run(["ip", "link", "del", self.device]) }
        if hasNamespace { try await Tool.run(["ip", "netns", "del", self.network.machineNamespace]) }
        guard !keepsWire, hasDevice || hasNamespace else { return }
        // The route went with the address of whom it led to, unless the wire stays for others.
        _ = try? await Tool.run(["ip", "route", "del", self.network.loadBalancerRange, "dev", PlatformNetwork.wire])
        // Fails if there is no wire, and then there is nothing to remove.
        let left = try? await Tool.run(["ip", "-o", "link", "show", "master", PlatformNetwork.wire])
        if left?.isEmpty == true { _ = try? await Tool.run(["ip", "link", "del", PlatformNetwork.wire]) }
    }

    /// The command line that runs `command` in the machine: only the network differs.
    package func entering(_ command: [String]) throws -> [String] {
        guard let program = Tool.find("nsenter") else {
            throw PlatformError("nsenter is missing; install with: apt-get install util-linux")
        }
        return [program, "--net=\(self.namespaceFile)"] + command
    }
}
