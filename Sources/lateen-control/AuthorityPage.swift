import CertificateAuthority
import Foundation
import IdentityServer

/// The authority's counters in Prometheus' text format; the names are Istio's where it has one.
struct AuthorityPage {
    private let counts: AuthorityStatistics.Counts

    init(_ counts: AuthorityStatistics.Counts) { self.counts = counts }

    var text: String {
        let failures = self.counts.failures
        let unreadable = (failures[.malformedRequest] ?? 0) + (failures[.keyRefused] ?? 0)
        var lines: [String] = []
        for (name, help, value) in [
            ("csr_count", "Certificate requests received.", self.counts.requests),
            ("success_cert_issuance_count", "Certificates issued.", self.counts.issued),
            (
                "authentication_failure_count", "Requests of callers who could not prove who they are.",
                self.counts.unauthenticated
            ),
            ("csr_parsing_err_count", "Requests that could not be read, or whose key is not accepted.", unreadable),
            ("csr_sign_err_count", "Requests that were not signed by their own key.", failures[.badSignature] ?? 0),
        ] {
            lines += PrometheusPage.metric("citadel_server_\(name)", "counter", help, [("", "\(value)")])
        }
        lines += PrometheusPage.metric(
            "lateen_ca_refusals",
            "counter",
            "Certificate requests that were refused, by reason.",
            AuthorityError.Code.allCases.map { ("{reason=\"\($0.rawValue)\"}", "\(failures[$0] ?? 0)") }
                + [("{reason=\"rate_limited\"}", "\(self.counts.limited)")]
        )
        for (name, help, moment) in [
            ("root_cert_expiry_timestamp", "When the root ends, in seconds since 1970.", self.counts.rootEnds),
            (
                "cert_chain_expiry_timestamp", "When the first certificate of the chain ends, in seconds since 1970.",
                self.counts.chainEnds
            ),
        ] {
            guard let moment else { continue }
            let value = Int64(moment.timeIntervalSince1970)
            lines += PrometheusPage.metric("citadel_server_\(name)", "gauge", help, [("", "\(value)")])
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
