import Foundation

/// The file that points `kubectl` and the platform's own controllers at the server, with the administrator's identity.
enum Kubeconfig {
    static func text(server: String, name: String, pki: ClusterPKI) -> String {
        func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
        return """
            apiVersion: v1
            kind: Config
            clusters:
            - name: \(name)
              cluster:
                certificate-authority-data: \(base64(pki.caPEM))
                server: \(server)
            users:
            - name: \(name)-admin
              user:
                client-certificate-data: \(base64(pki.adminCertificatePEM))
                client-key-data: \(base64(pki.adminKeyPEM))
            contexts:
            - name: \(name)
              context:
                cluster: \(name)
                user: \(name)-admin
            current-context: \(name)
            preferences: {}

            """
    }
}
