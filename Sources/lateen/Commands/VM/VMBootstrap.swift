import ArgumentParser
import KubernetesAPI
import MachineBundle
import MeshModel

extension VM {
    /// Makes the bundle that a machine joins the mesh with.
    struct Bootstrap: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the bundle that a machine joins the mesh with.",
            discussion: """
                The bundle holds a token of the group's service account, the mesh's root certificate, and where the \
                control plane is; its README says how to start. Example:

                  lateen vm bootstrap --group mysqldb -n vm -o bundle
                """
        )

        @Option(help: "The WorkloadGroup that the machine belongs to.")
        var group: String

        @Option(name: [.short, .long], help: "The namespace of the group.")
        var namespace = "default"

        @Option(help: "The machine's name, that of its WorkloadEntry; GROUP-ADDRESS if not set.")
        var name: String?

        @Option(help: "The machine's address; the one by which it reaches the control plane if not set.")
        var address: String?

        @Option(
            help: ArgumentHelp(
                "Where the machine reaches the control plane; if not set, the load balancer, external or cluster "
                    + "address of Service istiod.",
                valueName: "host:port"
            )
        )
        var controlPlane: String?

        @Option(help: "Namespace of the control plane.")
        var rootNamespace = "istio-system"

        @Option(help: "Seconds until the token ends. The machine needs it once; later its certificate renews itself.")
        var tokenSeconds = 3600

        @Option(name: [.short, .long], help: ArgumentHelp("Where the bundle goes.", valueName: "folder"))
        var output: String

        func validate() throws {
            // Kubernetes gives no token that lives shorter.
            guard (600...31_536_000).contains(self.tokenSeconds) else {
                throw ValidationError("--token-seconds \(self.tokenSeconds) is not between 600 and 31536000.")
            }
            if let address, IPAddress(address) == nil {
                throw ValidationError("--address \(address) is no IP address.")
            }
        }

        func run() throws {
            let cluster = VMCluster(kubectl: Kubectl(), namespace: self.namespace, root: self.rootNamespace)
            let group = try cluster.group(self.group)
            let account = group.account
            try cluster.checkAccount(account, of: self.group)
            let (host, port) = try self.controlPlane.map(Self.controlPlane) ?? cluster.controlPlane()
            var bundle = BundleFiles(
                group: self.group,
                namespace: self.namespace,
                serviceAccount: account,
                host: host,
                port: port,
                rootNamespace: self.rootNamespace,
                trustDomain: try cluster.trustDomain(),
                tokenSeconds: self.tokenSeconds
            )
            bundle.labels = group.labels
            bundle.network = group.network
            bundle.name = self.name
            bundle.address = self.address
            bundle.probe = group.probe.map { $0.text(pretty: true) + "\n" }
            let files = try bundle.files(
                root: cluster.rootCertificate(),
                token: cluster.token(of: account, seconds: self.tokenSeconds)
            )
            try BundleFiles.write(files, to: self.output)
            print("The bundle is in \(self.output): copy it to the machine and follow its README.md.")
        }

        private static func controlPlane(_ text: String) throws -> (String, Int) {
            guard let place = HostPort(text) else {
                throw CommandFailure(description: "--control-plane \(text) is not HOST:PORT or [IPV6]:PORT")
            }
            return (place.host, Int(place.port.number))
        }
    }
}
