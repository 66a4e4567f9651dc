import Foundation
import KubernetesAPI
import LocalPlatform

/// The remote secrets of a cluster of this machine.
struct RemoteSecrets {
    private let state: StateFolder
    private let progress: Progress

    /// What Istio's remote secrets are labelled with.
    static let label = "istio/multiCluster"
    private static let namespace = "istio-system"

    init(of state: StateFolder, progress: Progress) {
        self.state = state
        self.progress = progress
    }

    /// Takes out what leads to a cluster that is gone for good; what cannot be done is told, with the command that does it.
    func forget(_ cluster: String) async {
        do {
            let client = try self.state.client("remote-secrets")
            do {
                let list = try await client.list(
                    .secrets,
                    namespace: Self.namespace,
                    labelSelector: "\(Self.label)=true"
                )
                for secret in list.items { try await self.forget(cluster, in: secret, client) }
                await client.shutdown()
            } catch {
                await client.shutdown()
                throw error
            }
        } catch {
            self.progress.tell(
                "\(self.state.cluster) may still know \(cluster) (\(error)); if it has a remote secret, delete it: "
                    + "KUBECONFIG=\(self.state.kubeconfig.path) kubectl -n \(Self.namespace) delete secret "
                    + "istio-remote-secret-\(cluster)"
            )
        }
    }

    private func forget(_ cluster: String, in secret: KubernetesObject, _ client: KubernetesClient) async throws {
        let names = (secret.json["data"]?.object ?? [:]).keys
        guard names.contains(cluster) else { return }
        if names.count == 1 {
            try await client.delete(.secrets, namespace: Self.namespace, name: secret.name)
            self.progress.tell("\(self.state.cluster) forgets \(cluster): Secret \(secret.key) deleted")
            return
        }
        _ = try await client.patch(
            .secrets,
            namespace: Self.namespace,
            name: secret.name,
            .merge(["data": .object([cluster: .null])])
        )
        self.progress.tell("\(self.state.cluster) forgets \(cluster): key taken out of Secret \(secret.key)")
    }
}
