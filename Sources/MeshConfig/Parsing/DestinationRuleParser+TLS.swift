import IstioAPI
import MeshModel
import SwiftProtobuf

/// TLS towards the endpoints.
extension DestinationRuleReader {
    mutating func tls(_ tls: Istio_Networking_V1alpha3_ClientTLSSettings, _ field: String) -> ClientTLSSettings? {
        guard let mode = self.mode(tls.mode, "\(field).mode") else { return nil }
        var result = ClientTLSSettings(mode: mode)
        result.certificatePath = Fields.text(tls.clientCertificate)
        result.privateKeyPath = Fields.text(tls.privateKey)
        result.rootsPath = Fields.text(tls.caCertificates)
        result.revocationListPath = Fields.text(tls.caCrl)
        result.credentialName = Fields.text(tls.credentialName)
        result.subjectAltNames = tls.subjectAltNames
        result.skipsVerification = tls.hasInsecureSkipVerify && tls.insecureSkipVerify.value
        if let name = Fields.text(tls.sni) {
            if let host = HostName(name), !host.isWildcard {
                result.serverName = host.text
            } else {
                self.findings.error("\(field).sni", "`\(name)` is no host name")
            }
        }
        for (index, name) in tls.subjectAltNames.enumerated() where name.isEmpty {
            self.findings.error("\(field).subjectAltNames[\(index)]", "is empty")
        }
        self.check(result, field)
        return result
    }

    private mutating func mode(
        _ mode: Istio_Networking_V1alpha3_ClientTLSSettings.TLSmode,
        _ field: String
    ) -> ClientTLSSettings.Mode? {
        switch mode {
        case .disable: return .disable
        case .simple: return .simple
        case .mutual: return .mutual
        case .istioMutual: return .istioMutual
        case .UNRECOGNIZED(let number):
            self.findings.error(field, "\(number) is none of DISABLE, SIMPLE, MUTUAL, ISTIO_MUTUAL")
            return nil
        }
    }

    /// What must hold between fields, by mode.
    private mutating func check(_ tls: ClientTLSSettings, _ field: String) {
        let files = [
            ("clientCertificate", tls.certificatePath), ("privateKey", tls.privateKeyPath),
            ("caCertificates", tls.rootsPath),
        ].compactMap { $0.1 == nil ? nil : $0.0 }
        if tls.credentialName != nil, let file = files.first {
            self.findings.error("\(field).credentialName", "not together with \(file): the Secret holds all of them")
        }
        switch tls.mode {
        case .disable:
            if !files.isEmpty || tls.credentialName != nil || tls.serverName != nil || !tls.subjectAltNames.isEmpty {
                self.findings.warning("\(field).mode", "is DISABLE, so that the other fields have no effect")
            }
        case .simple:
            for file in files where file != "caCertificates" {
                self.findings.error("\(field).\(file)", "needs mode MUTUAL; it is SIMPLE")
            }
        case .mutual where tls.credentialName == nil:
            for file in ["clientCertificate", "privateKey"] where !files.contains(file) {
                self.findings.error("\(field).\(file)", "is needed with mode MUTUAL, or credentialName")
            }
        case .mutual: ()
        case .istioMutual:
            for file in files { self.findings.error("\(field).\(file)", "is the mesh's own with mode ISTIO_MUTUAL") }
            if tls.credentialName != nil {
                self.findings.error("\(field).credentialName", "is the mesh's own with mode ISTIO_MUTUAL")
            }
        }
        if tls.skipsVerification, tls.rootsPath != nil || !tls.subjectAltNames.isEmpty {
            self.findings.warning("\(field).insecureSkipVerify", "takes any certificate, whatever else is said here")
        }
    }
}
