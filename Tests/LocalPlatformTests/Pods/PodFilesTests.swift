import KubernetesAPI
import LocalPlatform
import Testing

@Suite struct PodFilesTests {
    private var files: PodFiles {
        PodFiles(
            podName: "web-1",
            namespace: "shop",
            address: "10.213.1.5",
            hostName: "web-1",
            subdomain: "web",
            hostAliases: [],
            users: [1000, 1337, 0]
        )
    }

    @Test("Names are looked up in the pod's namespace first, at the cluster's DNS")
    func resolver() {
        #expect(
            self.files.resolver == """
                search shop.svc.cluster.local svc.cluster.local cluster.local
                nameserver 10.214.0.10
                options ndots:5

                """
        )
    }

    @Test("A pod's own search domains, servers and options come behind the cluster's; its options replace them")
    func dnsConfig() {
        var files = self.files
        files.dnsConfig = PodDNSConfig(
            nameservers: ["10.214.0.10", "10.0.0.53"],
            searches: ["corp.test", "cluster.local"],
            options: [.init(name: "ndots", value: "2"), .init(name: "edns0")]
        )

        #expect(
            files.resolver == """
                search shop.svc.cluster.local svc.cluster.local cluster.local corp.test
                nameserver 10.214.0.10
                nameserver 10.0.0.53
                options ndots:2 edns0

                """
        )
    }

    @Test("A pod without DNS policy has its own configuration alone")
    func ownDNSConfig() {
        var files = self.files
        files.dnsPolicy = "None"
        files.dnsConfig = PodDNSConfig(nameservers: ["10.0.0.53"])

        #expect(files.resolver == "nameserver 10.0.0.53\n")
    }

    @Test("The pod knows its own name, with its subdomain in full")
    func hosts() {
        #expect(self.files.hosts.contains("10.213.1.5\tweb-1.web.shop.svc.cluster.local\tweb-1\n"))
        #expect(self.files.hosts.hasPrefix("127.0.0.1\tlocalhost\n"))
    }

    @Test("Each user of the pod has a name, once")
    func users() {
        let names = self.files.passwd.split(separator: "\n").map { $0.prefix { $0 != ":" } }

        #expect(names == ["root", "istio-proxy", "user1000", "nobody"])
    }
}
