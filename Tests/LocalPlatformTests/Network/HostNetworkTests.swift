import LocalPlatform
import Testing

@Suite struct HostNetworkTests {
    @Test(
        "A route that overlaps our ranges is a conflict, unless it is ours",
        arguments: [
            ("10.0.0.0/8 dev tun0", true), ("10.213.4.0/24 via 1.2.3.4 dev eth1", true),
            ("default via 192.0.2.1 dev eth0", false), ("10.213.0.0/16 dev lateen0 proto kernel", false),
            ("local 10.213.0.1 dev lateen0 table local", false), ("192.168.0.0/16 dev eth0", false),
            ("10.215.0.7 dev wg0", true), ("0.0.0.0/0 via 192.0.2.1 dev eth0", false),
        ]
    )
    func conflicts(_ route: String, _ isConflict: Bool) {
        #expect((HostNetwork.conflict(inRoutes: route) != nil) == isConflict)
    }

    @Test("Only bridges and links that we made are ours")
    func devices() {
        let links = """
            1: lo: <LOOPBACK> mtu 65536
            2: lateen0: <BROADCAST> mtu 1500
            3: ltn0123abcd@if4: <BROADCAST> mtu 1500
            4: lto0123abcd@if2: <BROADCAST> mtu 1500
            5: ltnx: <BROADCAST> mtu 1500
            6: docker0: <BROADCAST> mtu 1500
            """

        #expect(HostNetwork.ourDevices(inLinks: links) == ["lateen0", "ltn0123abcd", "lto0123abcd"])
    }

    @Test("Names of a pod's link fit the kernel's limits")
    func names() {
        let link = PodLink.pod(uid: "u", name: String(repeating: "p", count: 253), address: "10.213.1.0")

        #expect(link.hostDevice.utf8.count <= 15)
        #expect(link.namespace.utf8.count < 255)
        #expect(link.namespace.hasPrefix("lateen-"))
        #expect(link.insideCommands.contains("route add 10.213.0.1 dev eth0 scope link src 10.213.1.0"))
    }
}
