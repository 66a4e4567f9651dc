internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// TLS settings out of transport sockets.
struct TLSContextBuilder {
    private typealias Common = Envoy_Extensions_TransportSockets_Tls_V3_CommonTlsContext
    private typealias Validation = Envoy_Extensions_TransportSockets_Tls_V3_CertificateValidationContext
    private typealias Secret = Envoy_Extensions_TransportSockets_Tls_V3_SdsSecretConfig
    private typealias Parameters = Envoy_Extensions_TransportSockets_Tls_V3_TlsParameters

    private var findings = Findings()

    /// TLS that a filter chain takes off; `nil`: none, or a finding.
    static func server(
        _ socket: Envoy_Config_Core_V3_TransportSocket,
        at path: String,
        _ findings: inout Findings
    ) -> ServerTLS? {
        typealias Message = Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext
        let inner = joined(path, "transport_socket.typed_config")
        guard let message = Self.unpacked(socket, Message.self, TypeURL.downstreamTLSContext, at: path, &findings)
        else {
            return nil
        }
        var builder = TLSContextBuilder()
        defer { findings.append(builder.findings.list) }
        if message.requireSni.value { builder.findings.add("\(inner).require_sni", "is not supported") }
        let common = message.commonTlsContext
        let place = "\(inner).common_tls_context"
        let certificates = builder.certificates(common, at: place)
        if certificates.isEmpty {
            builder.findings.add(
                place,
                "one of tls_certificates, tls_certificate_sds_secret_configs is needed: a server shows a certificate"
            )
        }
        let requires = message.requireClientCertificate.value
        let validation = builder.validation(common, at: place)
        if requires, validation == nil {
            builder.findings.add(place, "require_client_certificate needs a validation context")
        }
        let versions = builder.versions(common.tlsParams, at: "\(place).tls_params")
        return ServerTLS(
            certificates: certificates,
            validation: validation,
            requiresClientCertificate: requires,
            applicationProtocols: common.alpnProtocols,
            versionMin: versions.min,
            versionMax: versions.max,
            cipherSuites: common.tlsParams.cipherSuites
        )
    }

    /// How a cluster takes its server names from requests (`auto_sni`, `auto_san_validation`).
    struct RequestNames {
        var usesHost = false
        var verifiesHost = false
    }

    /// TLS that is put on to endpoints; `nil`: plain, or a finding.
    static func client(
        _ socket: Envoy_Config_Core_V3_TransportSocket,
        names: RequestNames,
        at path: String,
        _ findings: inout Findings
    ) -> ClientTLS? {
        typealias Message = Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext
        let inner = joined(path, "transport_socket.typed_config")
        guard let message = Self.unpacked(socket, Message.self, TypeURL.upstreamTLSContext, at: path, &findings) else {
            return nil
        }
        var builder = TLSContextBuilder()
        defer { findings.append(builder.findings.list) }
        let common = message.commonTlsContext
        let place = "\(inner).common_tls_context"
        let certificates = builder.certificates(common, at: place)
        if certificates.count > 1 {
            builder.findings.add(place, "a client shows one certificate, there are \(certificates.count)")
        }
        // Without a validation context nothing is checked, as Envoy does.
        var validation = builder.validation(common, at: place) ?? PeerValidation(roots: .none)
        validation.verifiesHostName = names.verifiesHost || message.autoSniSanValidation
        if message.sni.utf8.count > 255 { builder.findings.add("\(inner).sni", "is longer than 255 bytes") }
        let versions = builder.versions(common.tlsParams, at: "\(place).tls_params")
        return ClientTLS(
            certificate: certificates.first,
            validation: validation,
            serverName: message.sni.isEmpty ? nil : message.sni,
            usesHostAsServerName: names.usesHost,
            applicationProtocols: common.alpnProtocols,
            versionMin: versions.min,
            versionMax: versions.max,
            cipherSuites: common.tlsParams.cipherSuites
        )
    }

    private static func unpacked<M: SwiftProtobuf.Message>(
        _ socket: Envoy_Config_Core_V3_TransportSocket,
        _ type: M.Type,
        _ typeURL: String,
        at path: String,
        _ findings: inout Findings
    ) -> M? {
        let given = socket.typedConfig.typeURL
        if given == TypeURL.rawBuffer { return nil }
        guard given == typeURL else {
            findings.add(
                joined(path, "transport_socket"),
                ExtensionPoint.transportSocket.refusal(name: socket.name, typeURL: given)
            )
            return nil
        }
        return socket.typedConfig.unpacked(M.self, at: joined(path, "transport_socket.typed_config"), &findings)
    }

    // MARK: Certificates

    private mutating func certificates(_ common: Common, at path: String) -> [CertificateSource] {
        var sources: [CertificateSource] = []
        for (index, certificate) in common.tlsCertificates.enumerated() {
            let place = "\(path).tls_certificates[\(index)]"
            let chain = self.data(certificate.certificateChain, at: "\(place).certificate_chain")
            let key = self.data(certificate.privateKey, at: "\(place).private_key")
            switch (chain, key) {
            case (.file(let chain), .file(let key)): sources.append(.files(chain: chain, key: key))
            case (.bytes(let chain), .bytes(let key)):
                sources.append(.inline(TLSCredential(certificateChain: chain, privateKey: key)))
            case (nil, _), (_, nil): ()
            case (.file, .bytes), (.bytes, .file):
                self.findings.add(place, "chain and key must both be files, or both be inline")
            }
        }
        for (index, secret) in common.tlsCertificateSdsSecretConfigs.enumerated() {
            if let name = self.name(secret, at: "\(path).tls_certificate_sds_secret_configs[\(index)]") {
                sources.append(.secret(name))
            }
        }
        return sources
    }

    private mutating func name(_ secret: Secret, at path: String) -> String? {
        if secret.name.isEmpty { self.findings.add("\(path).name", "a name is needed") }
        return secret.name.isEmpty ? nil : secret.name
    }

    private enum Data {
        case file(String)
        case bytes([UInt8])
    }

    private mutating func data(_ source: Envoy_Config_Core_V3_DataSource, at path: String) -> Data? {
        switch source.specifier {
        case .filename(let name) where !name.isEmpty: return .file(name)
        case .inlineBytes(let bytes): return .bytes(Array(bytes))
        case .inlineString(let text): return .bytes(Array(text.utf8))
        case .filename, .environmentVariable, nil:
            self.findings.add(path, "one of filename, inline_bytes, inline_string is needed")
            return nil
        }
    }

    // MARK: Validation

    private mutating func validation(_ common: Common, at path: String) -> PeerValidation? {
        switch common.validationContextType {
        case nil: return nil
        case .validationContext(let context):
            let place = "\(path).validation_context"
            return self.validation(context, roots: self.roots(context, at: place), at: place)
        case .validationContextSdsSecretConfig(let secret):
            let name = self.name(secret, at: "\(path).validation_context_sds_secret_config")
            return name.map { PeerValidation(roots: .secret($0)) }
        case .combinedValidationContext(let combined):
            let place = "\(path).combined_validation_context"
            let inner = "\(place).default_validation_context"
            let secret = combined.validationContextSdsSecretConfig
            guard let name = self.name(secret, at: "\(place).validation_context_sds_secret_config") else { return nil }
            if combined.defaultValidationContext.hasTrustedCa {
                self.findings.add("\(inner).trusted_ca", "the roots come from the secret \(name)")
            }
            return self.validation(combined.defaultValidationContext, roots: .secret(name), at: inner)
        }
    }

    private mutating func roots(_ context: Validation, at path: String) -> PeerValidation.Roots {
        if context.hasSystemRootCerts { return .system }
        guard context.hasTrustedCa else { return .none }
        switch self.data(context.trustedCa, at: "\(path).trusted_ca") {
        case .file(let name): return .file(name)
        case .bytes(let bytes): return .inline(bytes)
        case nil: return .none
        }
    }

    private mutating func validation(
        _ context: Validation,
        roots: PeerValidation.Roots,
        at path: String
    ) -> PeerValidation {
        var validation = PeerValidation(roots: roots)
        for (index, matcher) in context.matchTypedSubjectAltNames.enumerated() {
            let place = "\(path).match_typed_subject_alt_names[\(index)]"
            guard let kind = self.kind(matcher.sanType, at: "\(place).san_type"),
                let match = self.match(matcher.matcher, kind: kind, at: "\(place).matcher")
            else { continue }
            validation.names.append(PeerValidation.Name(kind: kind, match: match))
        }
        for (index, matcher) in context.matchSubjectAltNames.enumerated() {
            let place = "\(path).match_subject_alt_names[\(index)]"
            guard let match = self.match(matcher, kind: .any, at: place) else { continue }
            validation.names.append(PeerValidation.Name(match: match))
        }
        validation.certificateHashes = context.verifyCertificateHash
        validation.publicKeyHashes = context.verifyCertificateSpki
        if context.hasCrl {
            switch self.data(context.crl, at: "\(path).crl") {
            case .file(let name): validation.revocationList = .file(name)
            case .bytes(let bytes): validation.revocationList = .inline(bytes)
            case nil: ()
            }
        }
        return validation
    }

    private mutating func kind(
        _ type: Envoy_Extensions_TransportSockets_Tls_V3_SubjectAltNameMatcher.SanType,
        at path: String
    ) -> PeerValidation.NameKind? {
        switch type {
        case .email: return .email
        case .dns: return .dns
        case .uri: return .uri
        case .ipAddress: return .address
        case .unspecified, .otherName, .UNRECOGNIZED:
            self.findings.add(path, "\(type) is not supported; supported: EMAIL, DNS, URI, IP_ADDRESS")
            return nil
        }
    }

    private mutating func match(
        _ matcher: Envoy_Type_Matcher_V3_StringMatcher,
        kind: PeerValidation.NameKind,
        at path: String
    ) -> PeerValidation.NameMatch? {
        // DNS names are compared without case anyway.
        if matcher.ignoreCase, kind != .dns { self.findings.add("\(path).ignore_case", "is supported for DNS only") }
        switch matcher.matchPattern {
        case .exact(let text): return .exact(text)
        case .prefix(let text): return .prefix(text)
        case .suffix(let text): return .suffix(text)
        case .contains(let text): return .contains(text)
        case .safeRegex(let regex):
            do throws(Pattern.SyntaxError) { _ = try Pattern(compiling: regex.regex) } catch {
                self.findings.add("\(path).safe_regex.regex", error.message)
                return nil
            }
            return .regex(regex.regex)
        default:
            self.findings.add(path, "one of exact, prefix, suffix, contains, safe_regex is needed")
            return nil
        }
    }

    // MARK: Versions

    private mutating func versions(
        _ parameters: Parameters,
        at path: String
    ) -> (min: TLSVersion, max: TLSVersion) {
        let min = Self.version(parameters.tlsMinimumProtocolVersion) ?? .v1_2
        // Envoy's clients stop at 1.2 by themselves; there is no reason to.
        let max = Self.version(parameters.tlsMaximumProtocolVersion) ?? .v1_3
        if min > max {
            self.findings.add("\(path).tls_minimum_protocol_version", "is more than tls_maximum_protocol_version")
        }
        return (min, Swift.max(min, max))
    }

    private static func version(_ version: Parameters.TlsProtocol) -> TLSVersion? {
        switch version {
        case .tlsAuto, .UNRECOGNIZED: nil
        case .tlsv10: .v1_0
        case .tlsv11: .v1_1
        case .tlsv12: .v1_2
        case .tlsv13: .v1_3
        }
    }
}
