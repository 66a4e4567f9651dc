import ArgumentParser
import Foundation
import KubernetesAPI
import WorkloadIdentity

extension ProxyConfig {
    struct Secrets: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Certificates and roots that the proxy has; keys are never shown.",
            aliases: ["secret", "s"]
        )
        @OptionGroup var options: Options

        func run() throws {
            let dump = try self.options.dump()
            self.options.show(dump.secrets, Self.table)
        }

        private static func table(_ secrets: [JSONValue]) -> TextTable {
            var table = TextTable(
                "RESOURCE NAME",
                "TYPE",
                "STATUS",
                "VALID CERT",
                "SERIAL NUMBER",
                "NOT AFTER",
                "NOT BEFORE",
                "IDENTITY"
            )
            let now = Date().timeIntervalSince1970
            for entry in secrets.sorted(by: { $0.name < $1.name }) {
                let secret = entry["secret"]
                let certificate = secret?.field("tls_certificate")?.field("certificate_chain")
                let roots = secret?.field("validation_context")?.field("trusted_ca")
                let type = certificate != nil ? "Cert Chain" : roots != nil ? "CA" : "-"
                let status = entry.field("error_state") == nil ? "ACTIVE" : "ERROR"
                let facts = CertificateFacts.all(in: Self.bytes(certificate ?? roots))
                if facts.isEmpty { table.add(entry.name, type, status, "-", "-", "-", "-", "-") }
                for (index, one) in facts.enumerated() where certificate == nil || index == 0 {
                    table.add(
                        entry.name,
                        type,
                        status,
                        one.validFrom <= now && now < one.validUntil ? "true" : "false",
                        one.serial,
                        Self.time(one.validUntil),
                        Self.time(one.validFrom),
                        one.uris.first ?? one.dnsNames.first ?? "-"
                    )
                }
            }
            return table
        }

        /// A data source: bytes in base64, or text.
        private static func bytes(_ source: JSONValue?) -> [UInt8] {
            if let text = source?.field("inline_string")?.string { return Array(text.utf8) }
            return source?.field("inline_bytes")?.string.flatMap { Data(base64Encoded: $0) }.map(Array.init) ?? []
        }

        private static func time(_ seconds: Double) -> String {
            Date(timeIntervalSince1970: seconds).formatted(.iso8601)
        }
    }
}
