import Foundation
import MeshModel
import MeshSubscribe
import SwiftProtobuf
import Testing
import TrafficEngine
import XDSAPI

@Suite struct SecretTests {
    private typealias Secret = Envoy_Extensions_TransportSockets_Tls_V3_Secret

    private func response(
        _ kind: ResourceKind,
        _ version: String,
        _ resources: [any SwiftProtobuf.Message]
    ) throws -> Envoy_Service_Discovery_V3_DiscoveryResponse {
        try .with {
            $0.typeURL = kind.typeURL
            $0.versionInfo = version
            $0.nonce = "\(kind.rawValue)-\(version)"
            $0.resources = try resources.map { try Google_Protobuf_Any(message: $0) }
        }
    }

    private func listener(secret name: String) throws -> ListenerMessage {
        var listener = Messages.listener("gateway", port: 443, try Messages.tcpFilter("a"))
        let tls = Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext.with {
            $0.commonTlsContext.tlsCertificateSdsSecretConfigs = [
                .with {
                    $0.name = name
                    $0.sdsConfig.ads = .init()
                }
            ]
        }
        listener.filterChains[0].transportSocket = try .with {
            $0.name = "envoy.transport_sockets.tls"
            $0.typedConfig = try Messages.any(tls)
        }
        return listener
    }

    private func certificate(_ name: String, key: String = "key") -> Secret {
        .with {
            $0.name = name
            $0.tlsCertificate.certificateChain.inlineString = "chain"
            $0.tlsCertificate.privateKey.inlineBytes = Data(key.utf8)
        }
    }

    /// A session whose listener names a secret that has not come.
    private func session(secret name: String) throws -> (session: Session, asked: [SubscriptionMachine.Request]) {
        var session = Session()
        _ = session.connected()
        _ = session.received(try self.response(.clusters, "1", [ClusterMessage]()))
        let actions = session.received(try self.response(.listeners, "1", [self.listener(secret: name)]))
        return (session, actions.requests)
    }

    @Test("A secret that a listener names is asked for, and the first state waits for it")
    func asked() throws {
        var (session, asked) = try self.session(secret: "kubernetes://shop")
        #expect(asked.last?.kind == .secrets)
        #expect(asked.last?.names == ["kubernetes://shop"])
        #expect(!session.isStarted)

        let actions = session.received(try self.response(.secrets, "1", [self.certificate("kubernetes://shop")]))

        let expected = TLSCredential(certificateChain: Array("chain".utf8), privateKey: Array("key".utf8))
        #expect(actions.state?.secrets == ["kubernetes://shop": .certificate(expected)])
        #expect(actions.requests.first?.error == nil)
    }

    @Test("The workload's own certificate and roots are asked of nobody")
    func own() throws {
        let (session, asked) = try self.session(secret: TLSSecret.ownCertificate)

        #expect(!asked.contains { $0.kind == .secrets })
        #expect(session.isStarted)
    }

    @Test("A listener whose secret does not come is there all the same")
    func missing() throws {
        var (session, _) = try self.session(secret: "kubernetes://shop")

        let started = session.startAnyway()

        let state = try #require(started)
        #expect(state.listeners.map(\.name) == ["gateway"])
        #expect(state.secrets.isEmpty)
    }

    @Test("A new version of a secret replaces the old one, a broken one does not")
    func replaced() throws {
        var (session, _) = try self.session(secret: "s")
        _ = session.received(try self.response(.secrets, "1", [self.certificate("s", key: "one")]))

        let second = session.received(try self.response(.secrets, "2", [self.certificate("s", key: "two")]))
        let broken = session.received(try self.response(.secrets, "3", [Secret.with { $0.name = "s" }]))

        let expected = TLSCredential(certificateChain: Array("chain".utf8), privateKey: Array("two".utf8))
        #expect(second.state?.secrets["s"] == .certificate(expected))
        #expect(broken.state?.secrets["s"] == .certificate(expected))
        #expect(broken.requests.first?.error?.hasPrefix("s: ") == true)
    }

    @Test("Secrets that are no inline certificate or roots are refused")
    func refused() throws {
        let file = Secret.with {
            $0.name = "file"
            $0.tlsCertificate.certificateChain.filename = "/etc/passwd"
            $0.tlsCertificate.privateKey.filename = "/etc/passwd"
        }
        let empty = Secret.with {
            $0.name = "empty"
            $0.validationContext.trustedCa.inlineString = ""
        }
        let ticket = Secret.with {
            $0.name = "ticket"
            $0.sessionTicketKeys = .init()
        }
        var builder = StateBuilder()

        let errors = builder.setSecrets(
            try [file, empty, ticket].map { try Google_Protobuf_Any(message: $0) },
            version: "1"
        )

        #expect(errors.map(\.resource) == ["file", "empty", "ticket"])
    }

    @Test("A secret that nothing names any more is forgotten")
    func forgotten() throws {
        var (session, _) = try self.session(secret: "s")
        _ = session.received(try self.response(.secrets, "1", [self.certificate("s")]))

        let actions = session.received(try self.response(.listeners, "2", [ListenerMessage]()))

        #expect(actions.state?.secrets.isEmpty == true)
        #expect(session.builder.received.secrets.isEmpty)
    }

    @Test("No dump shows a key, wherever it stands")
    func redaction() throws {
        let pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"
        var inline = Messages.listener("inline", port: 443, try Messages.tcpFilter("a"))
        let tls = Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext.with {
            $0.commonTlsContext.tlsCertificates = [
                .with {
                    $0.certificateChain.inlineString = "public chain"
                    $0.privateKey.inlineString = pem
                    $0.password.inlineString = "opensesame"
                },
                .with {
                    $0.certificateChain.filename = "/etc/shop/tls.crt"
                    $0.privateKey.filename = "/etc/shop/tls.key"
                },
            ]
        }
        inline.filterChains[0].transportSocket.typedConfig = try Messages.any(tls)
        var builder = StateBuilder()
        _ = builder.setListeners([try Messages.any(inline)], version: "1")
        _ = builder.setSecrets([try Messages.any(self.certificate("sent", key: pem))], version: "1")
        let own = TLSCredential(certificateChain: Array("own chain".utf8), privateKey: Array(pem.utf8))

        let text = try ConfigurationDump.json(
            builder.received,
            areStatic: false,
            ownSecrets: [TLSSecret.ownCertificate: .certificate(own)]
        )

        #expect(!text.contains("PRIVATE KEY"))
        #expect(!text.contains(Data(pem.utf8).base64EncodedString()))
        #expect(!text.contains("opensesame"))
        #expect(text.contains("[redacted]"))
        #expect(text.contains(Data("[redacted]".utf8).base64EncodedString()))
        #expect(text.contains("public chain") && text.contains(Data("own chain".utf8).base64EncodedString()))
        #expect(text.contains("/etc/shop/tls.key"))
        #expect(text.contains("\"name\" : \"default\"") && text.contains("\"name\" : \"sent\""))
    }
}
