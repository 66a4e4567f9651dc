import CertificateAuthority
import Foundation
import IdentityServer
import KubernetesAPI
import MeshModel
import MeshSubscribe
import SwiftASN1
import Testing
import WorkloadIdentity
import X509

@Suite(.timeLimit(.minutes(1))) struct CertificateServiceTests {
    @Test("A service account token gets a certificate of its account, and that renews itself")
    func issuesAndRenews() async throws {
        try await RunningMesh.run { mesh in
            let key = try WorkloadKey(.ecdsaP256)
            let chain = try await mesh.certificates(token: try await mesh.token("default"), key: key)

            let leaf = try Certificate(pemEncoded: try #require(chain.first))
            let identity = try WorkloadID(certificate: leaf)
            #expect(identity.uri == "spiffe://cluster.local/ns/default/sa/default")
            let root = try #require(mesh.current.present?.authority.root)
            #expect(root.publicKey.isValidSignature(leaf.signature, for: leaf))
            #expect(chain.last == mesh.current.present?.bundle)

            let credential = TLSCredential(certificateChain: Array(chain[0].utf8), privateKey: key.pem)
            let renewed = try await mesh.certificates(token: nil, credential: credential)
            let next = try Certificate(pemEncoded: try #require(renewed.first))
            #expect(try WorkloadID(certificate: next) == identity)
            #expect(next.serialNumber != leaf.serialNumber)
            #expect(mesh.statistics.current.issued == 2)
        }
    }

    @Test("Tokens for others, of deleted accounts, and no tokens at all get nothing")
    func refusals() async throws {
        try await RunningMesh.run { mesh in
            let account = KubernetesObject(.serviceAccounts, namespace: "default", name: "short")
            _ = try await mesh.client.create(.serviceAccounts, account)
            let orphan = try await mesh.token("short")
            try await mesh.client.delete(.serviceAccounts, namespace: "default", name: "short")
            let tokens = [
                nil, "garbage", "a.b.c", orphan, try await mesh.token("default", audience: "somebody-else"),
            ]
            for token in tokens {
                let error = await #expect(throws: CertificateClient.Refusal.self) {
                    try await mesh.certificates(token: token)
                }
                #expect(error?.description.contains("unauthenticated") == true)
                if let token { #expect(error?.description.contains(token) == false) }
            }
            #expect(mesh.statistics.current.unauthenticated == 5)
            #expect(mesh.statistics.current.issued == 0)
        }
    }

    @Test("A certificate of another mesh is refused in the handshake")
    func foreign() async throws {
        try await RunningMesh.run { mesh in
            let files = try CertificateAuthority.selfSigned(organization: "cluster.local", now: Date())
            let other = try CertificateAuthority(files: files, policy: IssuancePolicy(), now: Date())
            let key = try WorkloadKey(.ecdsaP256)
            let forged = try other.issue(
                uris: ["spiffe://cluster.local/ns/istio-system/sa/istiod"],
                to: try Certificate.PrivateKey(pemEncoded: String(decoding: key.pem, as: UTF8.self)).publicKey,
                from: Date().addingTimeInterval(-60),
                until: Date().addingTimeInterval(600)
            )

            let credential = TLSCredential(
                certificateChain: Array(try forged.chain.joined().utf8),
                privateKey: key.pem
            )
            await #expect(throws: CertificateClient.Refusal.self) {
                try await mesh.certificates(token: nil, credential: credential)
            }

            #expect(mesh.statistics.current.issued == 0)
            // The next one is served all the same.
            let chain = try await mesh.certificates(token: try await mesh.token("default"))
            #expect(chain.count == 2)
        }
    }

    @Test("The roots are in every namespace, come to new ones, and are put right when somebody changes them")
    func distribution() async throws {
        try await RunningMesh.run { mesh in
            let bundle = try #require(mesh.current.present?.bundle)
            let isRight: @Sendable (KubernetesObject) -> Bool = {
                $0.name == "istio-ca-root-cert" && $0.json[path: "data", "root-cert.pem"]?.string == bundle
            }
            _ = try await mesh.wait(for: .configMaps, namespace: "default", until: isRight)
            _ = try await mesh.client.create(.namespaces, KubernetesObject(.namespaces, name: "late"))
            let written = try await mesh.wait(for: .configMaps, namespace: "late", until: isRight)

            let broken = try await mesh.client.patch(
                .configMaps,
                namespace: "late",
                name: written.name,
                .merge(["data": ["root-cert.pem": "x"]])
            )
            let version = broken.resourceVersion
            let repaired = try await mesh.wait(for: .configMaps, namespace: "late") {
                isRight($0) && $0.resourceVersion != written.resourceVersion && $0.resourceVersion != version
            }
            #expect(isRight(repaired))
        }
    }

    @Test("The root survives a restart of the control plane")
    func restart() async throws {
        let files = try CertificateAuthority.selfSigned(organization: "cluster.local", now: Date())
        try await RunningMesh.run(
            prepare: { try await Self.put(files, "istio-ca-secret", $0) },
            { mesh in
                #expect(mesh.current.present?.bundle == files.root)
            }
        )
    }

    @Test("An authority that is plugged in later is announced, and signs when everybody has its root")
    func pluggedIn() async throws {
        let rotation = RootRotation.Settings(distributionTime: .zero, certificateLife: .seconds(3600))
        try await RunningMesh.run(rotation: rotation) { mesh in
            let first = try #require(mesh.current.present?.authority.root)
            let root = try CertificateAuthority(
                files: try CertificateAuthority.selfSigned(organization: "ops", now: Date()),
                policy: IssuancePolicy(),
                now: Date()
            )
            let files = try root.subordinate(
                organization: "ops",
                from: Date().addingTimeInterval(-60),
                until: Date().addingTimeInterval(86_400)
            )
            try await Self.put(files, "cacerts", mesh.client)
            let both = try root.root.pem() + first.pem()
            _ = try await mesh.wait(for: .configMaps, namespace: "default") {
                $0.json[path: "data", "root-cert.pem"]?.string == both
            }

            let chain = try await mesh.certificates(token: try await mesh.token("default"))

            let leaf = try Certificate(pemEncoded: try #require(chain.first))
            #expect(chain.count == 3)
            #expect(leaf.issuer == (try Certificate(pemEncoded: files.certificate)).subject)
        }
    }

    private static func put(_ files: AuthorityFiles, _ name: String, _ client: KubernetesClient) async throws {
        func base64(_ text: String) -> JSONValue { .string(Data(text.utf8).base64EncodedString()) }
        var secret = KubernetesObject(.secrets, namespace: RunningMesh.namespace, name: name)
        secret.json["data"] = [
            "ca-cert.pem": base64(files.certificate), "ca-key.pem": base64(files.key),
            "cert-chain.pem": base64(files.chain), "root-cert.pem": base64(files.root),
        ]
        _ = try await client.create(.secrets, secret)
    }
}
