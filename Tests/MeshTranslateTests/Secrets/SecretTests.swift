import Foundation
import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct SecretTests {
    @Test("A proxy that proved who it is gets the Secrets that its clusters name, and no others")
    func named() throws {
        let secrets = try self.mesh().resources(isAuthenticated: true).secrets

        #expect(secrets.map(\.name) == ["kubernetes://client", "kubernetes://client-cacert"])
        #expect(secrets[0].tlsCertificate.privateKey.inlineBytes == Data("key".utf8))
        #expect(secrets[0].tlsCertificate.certificateChain.inlineBytes == Data("chain".utf8))
        #expect(secrets[1].validationContext.trustedCa.inlineBytes == Data("roots".utf8))
        #expect(secrets[1].validationContext.crl.inlineBytes == Data("revoked".utf8))
    }

    @Test("Others get none, and neither do proxies of other namespaces")
    func withheld() throws {
        let mesh = try self.mesh()

        #expect(try mesh.resources().secrets.isEmpty)
        #expect(try mesh.resources(namespace: "other", isAuthenticated: true).secrets.isEmpty)
    }

    @Test("Roots that stand in a Secret of their own come before those beside the key")
    func ownRoots() throws {
        var mesh = try self.mesh()
        mesh.edit {
            $0.credentials[ObjectID(namespace: "default", name: "client-cacert")] = TLSCredential(
                roots: Array("own".utf8)
            )
        }

        let roots = try mesh.resources(isAuthenticated: true).secrets.last

        #expect(roots?.validationContext.trustedCa.inlineBytes == Data("own".utf8))
        #expect(roots?.validationContext.hasCrl == false)
    }

    @Test("A Secret that does not exist, or lacks what is asked of it, is left out")
    func missing() throws {
        var mesh = try self.mesh()
        let id = ObjectID(namespace: "default", name: "client")

        mesh.edit { $0.credentials[id]?.roots = [] }
        #expect(try mesh.resources(isAuthenticated: true).secrets.map(\.name) == ["kubernetes://client"])
        mesh.edit { $0.credentials[id]?.privateKey = [] }
        #expect(try mesh.resources(isAuthenticated: true).secrets.isEmpty)
    }

    private func mesh() throws -> MeshBuilder {
        var mesh = MeshBuilder()
        try mesh.entry("www.outside.test", port: 443, .http, resolution: .dns(roundRobin: false))
        var tls = ClientTLSSettings(mode: .mutual)
        tls.credentialName = "client"
        var policy = TrafficPolicy()
        policy.tls = tls
        try mesh.policy(for: "www.outside.test", policy)
        mesh.edit {
            for name in ["client", "unrelated"] {
                $0.credentials[ObjectID(namespace: "default", name: name)] = TLSCredential(
                    certificateChain: Array("chain".utf8),
                    privateKey: Array("key".utf8),
                    roots: Array("roots".utf8),
                    revocationList: Array("revoked".utf8)
                )
            }
        }
        return mesh
    }
}
