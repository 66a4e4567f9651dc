import Foundation
import Glibc

/// The network of one namespace: its name, the host's end of its link, its address and where its traffic goes.
package struct PodLink: Sendable, Hashable {
    /// Shown by `ip netns`.
    package var namespace: String
    /// The host's end; at most 15 bytes.
    package var hostDevice: String
    package var address: String
    package var bridge: String
    package var gateway: String
    /// `/32` makes every packet pass the gateway, where Services are translated.
    package var prefixLength: Int

    package init(
        namespace: String,
        hostDevice: String,
        address: String,
        bridge: String,
        gateway: String,
        prefixLength: Int
    ) {
        self.namespace = namespace
        self.hostDevice = hostDevice
        self.address = address
        self.bridge = bridge
        self.gateway = gateway
        self.prefixLength = prefixLength
    }

    package var namespaceFile: String { "/run/netns/\(self.namespace)" }

    /// The link of a pod. Its name is cut so that the whole stays a file name; the hash keeps it unique.
    package static func pod(
        uid: String,
        name: String,
        address: String,
        network: PlatformNetwork = PlatformNetwork()
    ) -> PodLink {
        let hash = Self.hash(uid)
        return PodLink(
            namespace: "\(network.namespacePrefix)\(hash)-\(name.prefix(180))",
            hostDevice: "ltn\(hash)",
            address: address,
            bridge: PlatformNetwork.podBridge,
            gateway: network.gateway,
            prefixLength: 32
        )
    }

    /// The link of a host outside the mesh.
    package static func outside(
        name: String,
        address: String,
        network: PlatformNetwork = PlatformNetwork()
    ) -> PodLink {
        PodLink(
            namespace: "\(network.namespacePrefix)outside-\(name.prefix(180))",
            hostDevice: "lto\(Self.hash(name))",
            address: address,
            bridge: PlatformNetwork.outsideBridge,
            gateway: PlatformNetwork.outsideGateway,
            prefixLength: 24
        )
    }

    /// 32 bits of FNV-1a in hex: enough to tell the pods of one machine apart.
    package static func hash(_ text: String) -> String {
        let value = text.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        let hex = String(value, radix: 16)
        return String(repeating: "0", count: 8 - hex.count) + hex
    }

    /// What `ip -batch` does on the host to connect an existing namespace.
    package var hostCommands: [String] {
        let inside = "ltp\(self.hostDevice.dropFirst(3))"
        return [
            "link add \(self.hostDevice) type veth peer name \(inside)",
            "link set \(inside) netns \(self.namespace)",
            "link set \(self.hostDevice) master \(self.bridge) up",
        ]
    }

    /// What `ip -batch` does inside the namespace.
    package var insideCommands: [String] {
        let inside = "ltp\(self.hostDevice.dropFirst(3))"
        return [
            "link set lo up",
            "link set \(inside) name eth0",
            "addr add \(self.address)/\(self.prefixLength) dev eth0",
            "link set eth0 up",
        ]
            + (self.prefixLength == 32 ? ["route add \(self.gateway) dev eth0 scope link src \(self.address)"] : [])
            + ["route add default via \(self.gateway) dev eth0 src \(self.address)"]
    }

    /// Makes the namespace anew; what had its name before is removed first.
    package func create() async throws {
        await self.remove()
        try await Tool.run(["ip", "netns", "add", self.namespace])
        try await Tool.run(["ip", "-batch", "-"], input: self.hostCommands.joined(separator: "\n") + "\n")
        let network = try self.open()
        defer { close(network) }
        try await Tool.run(
            ["ip", "-batch", "-"],
            input: self.insideCommands.joined(separator: "\n") + "\n",
            network: network
        )
    }

    /// Removes the namespace and with it both ends of the link; nothing happens if there is none.
    package func remove() async {
        guard access(self.namespaceFile, F_OK) == 0 else { return }
        _ = try? await Tool.run(["ip", "link", "del", self.hostDevice])
        _ = try? await Tool.run(["ip", "netns", "del", self.namespace])
    }

    /// The namespace's descriptor, for those who start processes in it; the caller closes it.
    package func open() throws -> Int32 {
        let descriptor = Glibc.open(self.namespaceFile, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw SpawnError(program: self.namespace, step: "open the network namespace", errorNumber: errno)
        }
        return descriptor
    }
}
