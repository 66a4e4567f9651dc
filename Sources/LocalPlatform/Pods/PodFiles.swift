package import Foundation
package import KubernetesAPI

/// The files of `/etc` that are made for each pod.
package struct PodFiles {
    package var podName: String
    package var namespace: String
    package var address: String
    package var hostName: String
    package var subdomain: String?
    package var hostAliases: [HostAlias]
    package var users: [Int]
    package var dnsPolicy: String?
    package var dnsConfig: PodDNSConfig?
    package var network: PlatformNetwork

    package init(
        podName: String,
        namespace: String,
        address: String,
        hostName: String,
        subdomain: String?,
        hostAliases: [HostAlias],
        users: [Int],
        dnsPolicy: String? = nil,
        dnsConfig: PodDNSConfig? = nil,
        network: PlatformNetwork = PlatformNetwork()
    ) {
        self.podName = podName
        self.namespace = namespace
        self.address = address
        self.hostName = hostName
        self.subdomain = subdomain
        self.hostAliases = hostAliases
        self.users = users
        self.dnsPolicy = dnsPolicy
        self.dnsConfig = dnsConfig
        self.network = network
    }

    /// Contents by file name.
    package var contents: [String: String] {
        [
            "hosts": self.hosts, "resolv.conf": self.resolver, "hostname": self.hostName + "\n",
            "passwd": self.passwd, "group": self.group,
            // Names come from `/etc/hosts` and DNS, whatever the machine itself does.
            "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\n",
        ]
    }

    package var hosts: String {
        var lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
        let full = self.subdomain.map {
            "\(self.hostName).\($0).\(self.namespace).svc.\(PlatformNetwork.clusterDomain)\t"
        }
        lines.append("\(self.address)\t\(full ?? "")\(self.hostName)")
        for alias in self.hostAliases { lines.append("\(alias.ip)\t\(alias.hostnames.joined(separator: "\t"))") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The cluster's DNS and search domains, unless `dnsPolicy` is `None`, and then what `dnsConfig` adds; its options
    /// replace those of the same name.
    package var resolver: String {
        let domain = PlatformNetwork.clusterDomain
        let isOwn = self.dnsPolicy == "None"
        var servers = isOwn ? [] : [self.network.clusterDNS]
        var search = isOwn ? [] : ["\(self.namespace).svc.\(domain)", "svc.\(domain)", domain]
        var options = isOwn ? [] : [PodDNSConfig.Option(name: "ndots", value: "5")]
        servers += self.dnsConfig?.nameservers.filter { !servers.contains($0) } ?? []
        search += self.dnsConfig?.searches.filter { !search.contains($0) } ?? []
        for option in self.dnsConfig?.options ?? [] {
            options.removeAll { $0.name == option.name }
            options.append(option)
        }
        var lines = servers.map { "nameserver \($0)" }
        if !search.isEmpty { lines.insert("search \(search.joined(separator: " "))", at: 0) }
        if !options.isEmpty {
            let words = options.map { option in option.name + (option.value.map { ":\($0)" } ?? "") }
            lines.append("options \(words.joined(separator: " "))")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private var extraUsers: [Int] { Set(self.users).subtracting([0, 65534, 1337]).sorted() }

    package var passwd: String {
        let own = self.extraUsers.map { "user\($0):x:\($0):\($0)::/home:/bin/sh\n" }.joined()
        return "root:x:0:0:root:/root:/bin/sh\nistio-proxy:x:1337:1337::/home:/bin/sh\n\(own)"
            + "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    }

    package var group: String {
        let own = self.extraUsers.map { "user\($0):x:\($0):\n" }.joined()
        return "root:x:0:\nistio-proxy:x:1337:\n\(own)nogroup:x:65534:\n"
    }

    /// Writes all files into a folder; returns where each is.
    package func write(to folder: URL) throws -> [String: String] {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var places: [String: String] = [:]
        for (name, text) in self.contents {
            let file = folder.appendingPathComponent(name)
            // In place: a container that is running has this very file mounted.
            if (try? String(contentsOf: file, encoding: .utf8)) != text { try Data(text.utf8).write(to: file) }
            places[name] = file.path
        }
        return places
    }
}
