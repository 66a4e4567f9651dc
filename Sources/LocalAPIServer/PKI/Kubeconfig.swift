import Foundation

/// The file that points `kubectl` and the platform's own controllers at the server, with the administrator's identity.
enum Kubeconfig {
    static func text(server: String, pki: ClusterPKI) -> String {
        func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
        return """
            apiVersion: v1
            kind: Config
            clusters:
            - name: lateen
              cluster:
                certificate-authority-data: \(base64(pki.caPEM))
                server: \(server)
            users:
            - name: lateen-admin
              user:
                client-certificate-data: \(base64(pki.adminCertificatePEM))
                client-key-data: \(base64(pki.adminKeyPEM))
            contexts:
            - name: lateen
              context:
                cluster: lateen
                user: lateen-admin
            current-context: lateen
            preferences: {}

            """
    }
}
