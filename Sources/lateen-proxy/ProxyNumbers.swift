import AdminServer
import MeshModel
import MeshSubscribe
import ProxyRuntime
import TrafficEngine
import WorkloadIdentity

/// What the administration interface shows of the subscription and the identity, under Envoy's names.
enum ProxyNumbers {
    static func subscription(_ client: ADSClient) -> [Statistic] {
        var all = [Statistic("control_plane.connected_state", .gauge, client.isConnected ? 1 : 0)]
        for (kind, counts) in client.counts {
            let prefix =
                switch kind {
                case .listeners: "listener_manager.lds"
                case .clusters: "cluster_manager.cds"
                case .routes, .endpoints, .secrets, .nameTable: kind.rawValue
                }
            all.append(Statistic("\(prefix).update_success", .counter, counts.successes))
            all.append(Statistic("\(prefix).update_rejected", .counter, counts.rejections))
        }
        return all
    }

    static func identity(_ keeper: IdentityKeeper?) -> [Statistic] {
        guard let keeper else { return [] }
        let counts = keeper.counts
        var all = [
            Statistic("sds.\(TLSSecret.ownCertificate).key_rotation_success", .counter, counts.rotations),
            Statistic("sds.\(TLSSecret.ownCertificate).key_rotation_failed", .counter, counts.failures),
        ]
        if let current = keeper.current {
            let left = current.leaf.validUntil - IdentityKeeper.World.real.now()
            all.append(Statistic("server.days_until_first_cert_expiring", .gauge, max(0, Int(left / 86_400))))
            all.append(Statistic("identity.seconds_until_expiring", .gauge, max(0, Int(left))))
        }
        return all
    }

    /// The certificates in use: the workload's own first, then others by name.
    static func certificates(
        _ identity: WorkloadCertificate?,
        _ others: [String: TLSSecret]
    ) -> [CertificateSet] {
        var sets: [CertificateSet] = []
        if let identity {
            sets.append(CertificateSet(roots: identity.roots.map(Self.line), chain: [Self.line(identity.leaf)]))
        }
        for (_, secret) in others.sorted(by: { $0.key < $1.key }) {
            switch secret {
            case .certificate(let credential):
                let chain = CertificateFacts.all(in: credential.certificateChain)
                sets.append(CertificateSet(roots: [], chain: chain.map(Self.line)))
            case .validation(let roots, _):
                sets.append(CertificateSet(roots: CertificateFacts.all(in: roots).map(Self.line), chain: []))
            }
        }
        return sets
    }

    private static func line(_ facts: CertificateFacts) -> CertificateLine {
        CertificateLine(
            serial: facts.serial,
            uris: facts.uris,
            dnsNames: facts.dnsNames,
            validFrom: facts.validFrom,
            validUntil: facts.validUntil
        )
    }
}
