import CertificateAuthority
import Foundation
import KubernetesAPI
import LocalPlatform

/// Gives a further cluster an authority that the first cluster's workloads trust: one below the first's, plugged in as
/// the Secret `cacerts`, as an operator would do by hand.
struct SharedAuthority {
    let state: StateFolder
    /// The user wants none of it.
    let isOwn: Bool
    let progress: Progress

    private static let namespace = "istio-system"
    private static let plugged = "cacerts"
    private static let selfMade = "istio-ca-secret"
    private static let lifetime: TimeInterval = 5 * 365 * 86_400

    /// Writes the Secret if it is missing, or leads to a root that the first cluster no longer has.
    func plug(into client: KubernetesClient) async throws {
        if self.isOwn {
            self.progress.tell(
                "\(self.state.cluster) has a root of its own; workloads of other clusters do not trust it"
            )
            return
        }
        guard let first = try await self.firstFiles() else {
            self.progress.tell(
                "the first cluster does not run, so \(self.state.cluster) has a root of its own for now; "
                    + "`lateen up --cluster \(self.state.cluster)` joins it to the first one's later"
            )
            return
        }
        let now = Date()
        let policy = IssuancePolicy()
        let parent = try CertificateAuthority(files: first, policy: policy, now: now)
        let present = try await self.files(Self.plugged, client)
        if let present, try Self.isUsable(present, below: first, policy: policy, now: now) {
            self.progress.tell("\(self.state.cluster) shares the root of the first cluster")
            return
        }
        let files = try parent.subordinate(
            organization: "cluster.local",
            from: now.addingTimeInterval(-600),
            until: min(now.addingTimeInterval(Self.lifetime), parent.notAfter)
        )
        try await self.write(files, replacing: present != nil, client)
        self.progress.tell(
            "\(self.state.cluster) shares the root of the first cluster: its authority is one below "
                + "(Secret \(Self.namespace)/\(Self.plugged))"
        )
    }

    /// Whether files lead to a root that the first cluster has, and will for a while.
    private static func isUsable(
        _ files: AuthorityFiles,
        below first: AuthorityFiles,
        policy: IssuancePolicy,
        now: Date
    ) throws -> Bool {
        // What cannot be used is replaced, whatever is wrong with it.
        guard let authority = try? CertificateAuthority(files: files, policy: policy, now: now),
            let roots = try? files.roots
        else { return false }
        let isYoung = authority.notAfter > now.addingTimeInterval(Self.lifetime / 5)
        return try isYoung && !Set(roots).isDisjoint(with: first.roots)
    }

    /// The authority of the first cluster; `nil` if that is not there.
    private func firstFiles() async throws -> AuthorityFiles? {
        let first = StateFolder(self.state.home)
        guard Daemon.running(first) != nil else { return nil }
        let client = try first.client("authority")
        let files: AuthorityFiles?
        do {
            let own = try await self.files(Self.plugged, client)
            let made = own == nil ? try await self.files(Self.selfMade, client) : nil
            files = own ?? made
            await client.shutdown()
        } catch {
            await client.shutdown()
            throw error
        }
        return files
    }

    private func files(_ name: String, _ client: KubernetesClient) async throws -> AuthorityFiles? {
        do {
            let secret = try await client.get(.secrets, namespace: Self.namespace, name: name)
            func text(_ key: String) -> String {
                let bytes = secret.json[path: "data", key]?.string.flatMap { Data(base64Encoded: $0) }
                return String(decoding: bytes ?? Data(), as: UTF8.self)
            }
            let root = text(AuthorityFiles.rootName)
            let certificate = text(AuthorityFiles.certificateName)
            return AuthorityFiles(
                certificate: certificate,
                key: text(AuthorityFiles.keyName),
                chain: text(AuthorityFiles.chainName),
                root: root.isEmpty ? certificate : root
            )
        } catch let error as KubernetesError where error.isNotFound {
            return nil
        }
    }

    private func write(_ files: AuthorityFiles, replacing: Bool, _ client: KubernetesClient) async throws {
        do { _ = try await client.create(.namespaces, KubernetesObject(.namespaces, name: Self.namespace)) } catch let
            error as KubernetesError where error.isAlreadyExists
        {}
        let data: JSONValue = .object(
            [
                AuthorityFiles.certificateName: files.certificate, AuthorityFiles.keyName: files.key,
                AuthorityFiles.chainName: files.chain, AuthorityFiles.rootName: files.root,
            ].mapValues { .string(Data($0.utf8).base64EncodedString()) }
        )
        if replacing {
            _ = try await client.patch(
                .secrets,
                namespace: Self.namespace,
                name: Self.plugged,
                .merge(["data": data])
            )
            return
        }
        var secret = KubernetesObject(.secrets, namespace: Self.namespace, name: Self.plugged)
        secret.json["data"] = data
        _ = try await client.create(.secrets, secret)
    }
}
