package import Foundation

/// Settings of the embedded API server; they are checked and frozen before a port is bound.
package struct APIServerConfiguration: Sendable {
    /// Folder that holds `pki/`, `store.sqlite` and `kubeconfig`; created with mode 0700 when absent.
    package var stateFolder: URL
    /// What clusters, contexts and users of the kubeconfig are called, so that files of several clusters can be merged.
    package var clusterName: String
    /// Address that must be bindable at start; clients of this machine use it.
    package var address: String
    /// Addresses that may appear later (the gateway of the pod bridge); binding is retried until it succeeds.
    package var lateAddresses: [String]
    /// TCP port on every address; 0 takes any free port (tests).
    package var port: Int
    /// Range that Services get their cluster address from, as `a.b.c.d/len`.
    package var serviceCIDR: String
    /// Address of the Service `kubernetes` in namespace `default`.
    package var kubernetesServiceAddress: String
    /// Address that pods reach this server at, the only endpoint of the Service `kubernetes`.
    package var endpointAddress: String
    /// Cluster domain used in certificate names and token issuer.
    package var clusterDomain: String
    /// Largest request body that is read.
    package var bodyBytesMax = 3 << 20
    /// Connections served at the same time; more are closed at once.
    package var connectionsMax = 4096
    /// Version of a group that clients get when they name none; other groups prefer stable over beta over alpha.
    ///
    /// A real cluster would prefer `v1` here. The guides, and most manifests in the world, say `v1alpha3`: what was
    /// applied is printed back as it was written.
    package var preferredVersions = ["networking.istio.io": "v1alpha3"]
    /// Changes kept per kind for watches that resume; an older resourceVersion is answered with 410 Gone.
    package var watchHistoryMax = 2048

    package init(
        stateFolder: URL,
        clusterName: String = "lateen",
        address: String = "127.0.0.1",
        lateAddresses: [String] = [],
        port: Int = 16443,
        serviceCIDR: String = "10.214.0.0/16",
        kubernetesServiceAddress: String = "10.214.0.1",
        endpointAddress: String = "10.213.0.1",
        clusterDomain: String = "cluster.local"
    ) {
        self.stateFolder = stateFolder
        self.clusterName = clusterName
        self.address = address
        self.lateAddresses = lateAddresses
        self.port = port
        self.serviceCIDR = serviceCIDR
        self.kubernetesServiceAddress = kubernetesServiceAddress
        self.endpointAddress = endpointAddress
        self.clusterDomain = clusterDomain
    }

    /// Where the keys and certificates live.
    package var pkiFolder: URL { self.stateFolder.appendingPathComponent("pki") }
    /// The file that `kubectl` is pointed at.
    package var kubeconfigFile: URL { self.stateFolder.appendingPathComponent("kubeconfig") }
    /// The database file; its `-wal` and `-shm` companions lie beside it.
    package var storeFile: URL { self.stateFolder.appendingPathComponent("store.sqlite") }

    /// Names and addresses that the serving certificate is valid for.
    var servingNames: [String] {
        [
            "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
            "kubernetes.default.svc.\(self.clusterDomain)",
        ]
    }

    var servingAddresses: [String] {
        var seen = Set<String>()
        return
            ([
                "127.0.0.1", self.address, self.endpointAddress, self.kubernetesServiceAddress,
            ] + self.lateAddresses).filter { $0 != "0.0.0.0" && seen.insert($0).inserted }
    }
}

/// Why the server could not start; the message names the thing and the cure.
package struct APIServerError: Error, CustomStringConvertible {
    package var message: String
    package var cause: (any Error)?

    package init(_ message: String, cause: (any Error)? = nil) {
        self.message = message
        self.cause = cause
    }

    package var description: String { self.message }
}
