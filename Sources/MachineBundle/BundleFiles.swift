internal import Foundation

/// The contents of a bundle, for one machine of a WorkloadGroup.
package struct BundleFiles: Sendable {
    package struct File: Sendable, Equatable {
        package var name: String
        package var text: String
        package var mode = 0o644
    }

    package var group: String
    package var namespace: String
    package var serviceAccount: String
    /// Of the machine's entry.
    package var labels: [String: String] = [:]
    /// Empty: that of the cluster.
    package var network = ""
    /// `nil`: GROUP-ADDRESS.
    package var name: String?
    /// `nil`: the machine finds it out.
    package var address: String?
    /// Where the machine reaches the control plane.
    package var host: String
    package var port: Int
    /// Of the control plane.
    package var rootNamespace: String
    package var trustDomain: String
    package var domain = "cluster.local"
    package var tokenSeconds: Int
    /// The group's `probe` in JSON.
    package var probe: String?

    package init(
        group: String,
        namespace: String,
        serviceAccount: String,
        host: String,
        port: Int,
        rootNamespace: String,
        trustDomain: String,
        tokenSeconds: Int
    ) {
        self.group = group
        self.namespace = namespace
        self.serviceAccount = serviceAccount
        self.host = host
        self.port = port
        self.rootNamespace = rootNamespace
        self.trustDomain = trustDomain
        self.tokenSeconds = tokenSeconds
    }

    /// All files.
    ///
    /// - Parameters:
    ///   - root: the mesh's roots in PEM.
    ///   - token: of the service account, for the mesh's authority.
    /// - Returns: files in the order in which a person meets them.
    /// - Throws: `MachineBundle.Malformed` if a value cannot stand in a line.
    package func files(root: String, token: String) throws -> [File] {
        var files = [
            File(name: MachineBundle.File.readme, text: self.readme),
            File(name: MachineBundle.File.environment, text: try self.environment()),
            File(name: MachineBundle.File.token, text: token, mode: 0o600),
            File(name: MachineBundle.File.root, text: root.hasSuffix("\n") ? root : root + "\n"),
            File(name: MachineBundle.File.hosts, text: self.hosts),
        ]
        if let probe { files.append(File(name: MachineBundle.File.probe, text: probe)) }
        return files
    }

    private var controlPlaneName: String { "istiod.\(self.rootNamespace).svc" }

    private var hostAndPort: String {
        self.host.contains(":") && !self.host.hasPrefix("[")
            ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }

    private func environment() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var pairs: [(String, String)] = [
            (MachineBundle.Variable.controlPlane, self.hostAndPort),
            (MachineBundle.Variable.controlPlaneName, self.controlPlaneName),
            (MachineBundle.Variable.domain, self.domain),
            ("TRUST_DOMAIN", self.trustDomain),
            ("POD_NAMESPACE", self.namespace),
            ("SERVICE_ACCOUNT", self.serviceAccount),
            ("ISTIO_META_AUTO_REGISTER_GROUP", self.group),
            ("ISTIO_META_WORKLOAD_NAME", self.group),
            ("ISTIO_META_CLUSTER_ID", "Kubernetes"),
            ("ISTIO_METAJSON_LABELS", String(decoding: try encoder.encode(self.labels), as: UTF8.self)),
        ]
        if !self.network.isEmpty { pairs.append(("ISTIO_META_NETWORK", self.network)) }
        if let name { pairs.append(("POD_NAME", name)) }
        if let address { pairs.append(("INSTANCE_IP", address)) }
        return try pairs.map { name, value in
            guard !value.contains(where: \.isNewline) else {
                throw MachineBundle.Malformed(description: "\(name) of WorkloadGroup \(self.group) has several lines")
            }
            return "\(name)='\(value.replacing("'", with: "'\\''"))'\n"
        }.joined()
    }

    /// For other programs on the machine that speak to the control plane by its name; the proxy does not need it.
    private var hosts: String {
        let isName = self.host.contains { $0.isLetter } && !self.host.contains(":")
        return isName ? "" : "\(self.host) \(self.controlPlaneName)\n"
    }

    private var readme: String {
        """
        # A machine of WorkloadGroup \(self.group) in namespace \(self.namespace)

        This folder lets one machine join the mesh as `\(self.namespace)/\(self.serviceAccount)`. Its token (`istio-token`) ends
        \(self.tokenSeconds / 60) minutes after it was made: start the proxy before. Then the machine has a certificate, which renews itself; the
        token is needed again only if the proxy stands still for longer than its certificate lives.

        What the machine must reach: \(self.host) port \(self.port) (the control plane), and the addresses of the mesh's
        pods. It needs neither the cluster's DNS nor its API server.

        1. Copy this folder to the machine, for example to `/etc/lateen`, and the program `lateen-proxy` to
           `/usr/local/bin`. The machine needs iptables.
        2. As root:

               lateen-proxy vm --bundle /etc/lateen --intercept

           The proxy runs as user 1337. Once it is ready, the machine's traffic and its DNS queries go through it; when
           it ends, all is as before. Port 22 is left alone; see `lateen-proxy vm --help` for what else can be.
        3. Try it: names of the mesh now resolve on the machine.

               getent hosts istiod.\(self.rootNamespace).svc.\(self.domain)

        As a service of systemd:

            [Service]
            ExecStart=/usr/local/bin/lateen-proxy vm --bundle /etc/lateen --intercept
            ExecStopPost=/usr/local/bin/lateen-proxy iptables --clean
            Restart=always

        | File | What it is |
        |---|---|
        | `cluster.env` | who the machine is, and where the control plane is |
        | `istio-token` | proves it once; keep it secret |
        | `root-cert.pem` | what the control plane is checked with |
        | `hosts` | the control plane's name, for `/etc/hosts` of machines whose other programs call it |
        | `probe.json` | how to tell whether the workload is well; only if the group says it |

        """
    }
}
