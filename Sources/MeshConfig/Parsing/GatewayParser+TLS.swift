import IstioAPI
import MeshModel
import SwiftProtobuf

/// TLS of a gateway's server.
extension GatewayReader {
    private typealias Settings = Istio_Networking_V1alpha3_ServerTLSSettings

    /// The settings as they are in force; `nil` for plain text.
    mutating func tls(
        _ server: Istio_Networking_V1alpha3_Server,
        _ word: GatewayRules.ServerProtocol,
        _ field: String
    ) -> ServerTLSSettings? {
        let tls = server.tls
        switch word {
        case .https, .tls:
            guard server.hasTls else {
                self.findings.error(field, "is needed with protocol \(word.rawValue.uppercased())")
                return nil
            }
            if tls.httpsRedirect {
                self.findings.warning("\(field).httpsRedirect", "has no effect: the port speaks TLS already")
            }
            return self.settings(tls, word, field)
        case .http, .http2, .grpc:
            // `httpsRedirect` alone is how a redirect is written; what else is said cannot be.
            var rest = tls
            rest.httpsRedirect = false
            if server.hasTls, rest != Settings() {
                self.findings.error(field, "needs protocol HTTPS or TLS; it is \(word.rawValue.uppercased())")
            }
        case .tcp, .mongo:
            if server.hasTls { self.findings.error(field, "needs protocol TLS; it is \(word.rawValue.uppercased())") }
        }
        return nil
    }

    private mutating func settings(
        _ tls: Istio_Networking_V1alpha3_ServerTLSSettings,
        _ word: GatewayRules.ServerProtocol,
        _ field: String
    ) -> ServerTLSSettings? {
        guard let mode = self.mode(tls.mode, "\(field).mode") else { return nil }
        var result = ServerTLSSettings(mode: mode)
        result.certificatePath = Fields.text(tls.serverCertificate)
        result.privateKeyPath = Fields.text(tls.privateKey)
        result.rootsPath = Fields.text(tls.caCertificates)
        result.revocationListPath = Fields.text(tls.caCrl)
        result.credentialName = Fields.text(tls.credentialName)
        self.chooseFirst(tls, &result, field)
        result.subjectAltNames = tls.subjectAltNames
        result.certificateHashes = tls.verifyCertificateHash
        result.publicKeyHashes = tls.verifyCertificateSpki
        result.versionMin = self.version(tls.minProtocolVersion, "\(field).minProtocolVersion")
        result.versionMax = self.version(tls.maxProtocolVersion, "\(field).maxProtocolVersion")
        if let min = result.versionMin, let max = result.versionMax, min > max {
            self.findings.error("\(field).maxProtocolVersion", "is older than minProtocolVersion")
        }
        result.cipherSuites = self.cipherSuites(tls.cipherSuites, "\(field).cipherSuites")
        if tls.hasInsecureSkipVerify, tls.insecureSkipVerify.value {
            self.findings.error("\(field).insecureSkipVerify", "is not supported: use OPTIONAL_MUTUAL or SIMPLE")
        }
        if !tls.caCertCredentialName.isEmpty {
            self.findings.error("\(field).caCertCredentialName", "is not supported: put `ca.crt` into the Secret")
        }
        if mode == .autoPassthrough, word != .tls {
            self.findings.error("\(field).mode", "AUTO_PASSTHROUGH needs protocol TLS")
        }
        self.check(result, field)
        return result
    }

    /// Of several certificates the first is used: a proxy chooses among them by kind of key, and ours has one.
    private mutating func chooseFirst(
        _ tls: Istio_Networking_V1alpha3_ServerTLSSettings,
        _ result: inout ServerTLSSettings,
        _ field: String
    ) {
        if let first = tls.credentialNames.first {
            result.credentialName = result.credentialName ?? first
            if tls.credentialNames.count > 1 {
                self.findings.warning("\(field).credentialNames", "only `\(first)` is used")
            }
        }
        if let first = tls.tlsCertificates.first {
            result.certificatePath = result.certificatePath ?? Fields.text(first.serverCertificate)
            result.privateKeyPath = result.privateKeyPath ?? Fields.text(first.privateKey)
            result.rootsPath = result.rootsPath ?? Fields.text(first.caCertificates)
            if tls.tlsCertificates.count > 1 {
                self.findings.warning("\(field).tlsCertificates", "only the first is used")
            }
        }
    }

    private mutating func mode(
        _ mode: Istio_Networking_V1alpha3_ServerTLSSettings.TLSmode,
        _ field: String
    ) -> ServerTLSSettings.Mode? {
        switch mode {
        case .passthrough: return .passthrough
        case .simple: return .simple
        case .mutual: return .mutual
        case .autoPassthrough: return .autoPassthrough
        case .istioMutual: return .istioMutual
        case .optionalMutual: return .optionalMutual
        case .UNRECOGNIZED(let number):
            self.findings.error(field, "\(number) is no mode of TLS")
            return nil
        }
    }

    private mutating func version(
        _ version: Istio_Networking_V1alpha3_ServerTLSSettings.TLSProtocol,
        _ field: String
    ) -> TLSVersion? {
        switch version {
        case .tlsAuto: return nil
        case .tlsv10: return .v1_0
        case .tlsv11: return .v1_1
        case .tlsv12: return .v1_2
        case .tlsv13: return .v1_3
        case .UNRECOGNIZED(let number):
            self.findings.error(field, "\(number) is no version of TLS")
            return nil
        }
    }

    /// Names as OpenSSL and BoringSSL spell them; others are left out, as Istio does.
    private mutating func cipherSuites(_ names: [String], _ field: String) -> [String] {
        var result: [String] = []
        for (index, name) in names.enumerated() {
            if !Self.knownCipherSuites.contains(name) {
                self.findings.warning("\(field)[\(index)]", "`\(name)` is unknown and left out")
            } else if result.contains(name) {
                self.findings.warning("\(field)[\(index)]", "`\(name)` stands here twice")
            } else {
                result.append(name)
            }
        }
        return result
    }

    /// What must hold between fields, by mode.
    private mutating func check(_ tls: ServerTLSSettings, _ field: String) {
        let files = [
            ("serverCertificate", tls.certificatePath), ("privateKey", tls.privateKeyPath),
            ("caCertificates", tls.rootsPath),
        ].compactMap { $0.1 == nil ? nil : $0.0 }
        let needed: [String]
        switch tls.mode {
        case .simple: needed = ["serverCertificate", "privateKey"]
        case .mutual, .optionalMutual: needed = ["serverCertificate", "privateKey", "caCertificates"]
        case .passthrough, .autoPassthrough:
            if !files.isEmpty || tls.credentialName != nil {
                self.findings.warning("\(field).mode", "lets TLS through unopened: certificates have no effect")
            }
            return
        case .istioMutual:
            for file in files { self.findings.error("\(field).\(file)", "is the mesh's own with mode ISTIO_MUTUAL") }
            if tls.credentialName != nil {
                self.findings.error("\(field).credentialName", "is the mesh's own with mode ISTIO_MUTUAL")
            }
            return
        }
        if tls.credentialName == nil {
            for file in needed where !files.contains(file) {
                self.findings.error("\(field).\(file)", "is needed with this mode, or credentialName")
            }
        } else if !files.isEmpty {
            // Istio takes the Secret; so do we.
            self.findings.warning("\(field).credentialName", "is used instead of the files that are named as well")
        }
        self.checkHashes(tls, field)
    }

    private mutating func checkHashes(_ tls: ServerTLSSettings, _ field: String) {
        for (index, text) in tls.certificateHashes.enumerated() {
            let digits = text.utf8.filter { $0 != UInt8(ascii: ":") }
            if digits.count != 64 || !digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) {
                self.findings.error("\(field).verifyCertificateHash[\(index)]", "is no SHA-256 in hexadecimal")
            }
        }
        for (index, text) in tls.publicKeyHashes.enumerated() where Base64.decoded(text)?.count != 32 {
            self.findings.error("\(field).verifyCertificateSpki[\(index)]", "is no SHA-256 in base64")
        }
    }

    /// Suites that BoringSSL has, and those of TLS 1.3, which cannot be left out anyway.
    private static let knownCipherSuites: Set<String> = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
        "ECDHE-PSK-AES128-CBC-SHA", "ECDHE-PSK-AES256-CBC-SHA", "ECDHE-PSK-CHACHA20-POLY1305", "AES128-GCM-SHA256",
        "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA", "PSK-AES128-CBC-SHA", "PSK-AES256-CBC-SHA", "DES-CBC3-SHA",
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    ]
}
