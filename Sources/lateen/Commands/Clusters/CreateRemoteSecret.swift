import ArgumentParser
import Foundation
import KubernetesAPI
import LocalPlatform

/// Prints what another cluster needs to read this one.
struct CreateRemoteSecret: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-remote-secret",
        abstract: "Print the Secret with which another cluster's control plane reads a cluster.",
        discussion: """
            The Secret holds a kubeconfig with a token of the service account istio-reader-service-account, which may
            read services, endpoints, pods and nodes, and nothing else. Apply it in the other cluster:

              lateen create-remote-secret --cluster west | kubectl apply -f -

            Who has the token can read all that until it ends, or until the service account is deleted.
            """
    )

    @OptionGroup var cluster: ClusterChoice

    @Option(help: "The name of the cluster in the mesh; that of --cluster if not set.")
    var name: String?

    @Option(help: "The address of the API server as others reach it; that of the kubeconfig if not set.")
    var server: String?

    @Option(help: "The namespace of the control planes.")
    var istioNamespace = "istio-system"

    @Option(help: "The service account whose token is put in.")
    var serviceAccount = "istio-reader-service-account"

    @Option(help: ArgumentHelp("How long the token lives; clusters may cut it.", valueName: "hours"))
    var hours = 24 * 365

    func validate() throws {
        guard self.name != nil || self.cluster.cluster != nil else {
            throw ValidationError("say which cluster: --cluster NAME, or --name NAME for the one that KUBECONFIG names")
        }
        if let name = self.name, !PlatformNetwork.isClusterName(name) {
            throw ValidationError(
                "--name: `\(name)` is no name of a cluster: up to 30 small letters, digits and -"
            )
        }
        guard self.hours > 0 else { throw ValidationError("--hours must be at least 1") }
    }

    func run() throws {
        let kubectl = self.cluster.kubectl
        let name = self.name ?? self.cluster.cluster ?? ""
        let config = try JSONValue.parse(try kubectl.run(["config", "view", "--minify", "--raw", "-o", "json"]))
        guard let entry = config["clusters"]?.array?.first?["cluster"],
            let server = self.server ?? self.reachable(entry["server"]?.string)
        else { throw CommandFailure(description: "the kubeconfig names no server: is the cluster up?") }
        if self.server == nil, Self.isLoopback(server) {
            throw CommandFailure(
                description: "the kubeconfig names \(server), which is another machine for whoever reads it elsewhere: "
                    + "say --server https://ADDRESS:PORT, or --cluster NAME for a cluster of this machine"
            )
        }
        let token = try kubectl.run([
            "create", "token", self.serviceAccount, "-n", self.istioNamespace, "--duration", "\(self.hours)h",
        ])
        var members: [String: JSONValue] = ["server": .string(server)]
        if let authority = entry["certificate-authority-data"] { members["certificate-authority-data"] = authority }
        if let server = entry["tls-server-name"] { members["tls-server-name"] = server }
        let kubeconfig: JSONValue = [
            "apiVersion": "v1", "kind": "Config", "current-context": .string(name),
            "clusters": [["name": .string(name), "cluster": .object(members)]],
            "contexts": [["name": .string(name), "context": ["cluster": .string(name), "user": .string(name)]]],
            "users": [
                [
                    "name": .string(name),
                    "user": [
                        "token": .string(
                            String(decoding: token, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
                        )
                    ],
                ]
            ],
        ]
        // JSON is YAML: the kubeconfig needs no quoting in a block of its own.
        print(
            """
            # Lets the control plane of another cluster read cluster \(name).
            apiVersion: v1
            kind: Secret
            metadata:
              name: istio-remote-secret-\(name)
              namespace: \(self.istioNamespace)
              labels:
                \(RemoteSecrets.label): "true"
              annotations:
                networking.istio.io/cluster: \(name)
            stringData:
              \(name): |
                \(kubeconfig.text())
            """
        )
    }

    /// The first cluster's kubeconfig says loopback, where others are somebody else; its machine has an address on the
    /// wire between clusters.
    private func reachable(_ server: String?) -> String? {
        guard self.cluster.cluster == PlatformNetwork.firstCluster else { return server }
        return "https://\(PlatformNetwork().machineAddress):\(PlatformNetwork.apiPort)"
    }

    private static func isLoopback(_ server: String) -> Bool {
        let host = URLComponents(string: server)?.host?.trimmingCharacters(in: ["[", "]"]) ?? ""
        return host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
}
