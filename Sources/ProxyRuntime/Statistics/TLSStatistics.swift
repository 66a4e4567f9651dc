/// Counts of TLS handshakes at one listener or with one cluster.
package struct TLSStatistics: Sendable, Hashable {
    package var handshakes = 0
    /// Handshakes in which the peer showed no certificate.
    package var noCertificate = 0
    /// Connections that ended for a fault of TLS.
    package var connectionErrors = 0
    package var verificationErrors = 0
    package var nameErrors = 0
    package var missingCertificates = 0
    package var hashErrors = 0
    package var timeouts = 0
    /// Connections that could not begin because a secret was not there or was broken.
    package var noSecret = 0

    package init() {}

    /// The numbers under Envoy's names (`listener.<address>.ssl.…`, `cluster.<name>.ssl.…`).
    package var all: [Statistic] {
        [
            Statistic("ssl.handshake", .counter, self.handshakes),
            Statistic("ssl.no_certificate", .counter, self.noCertificate),
            Statistic("ssl.connection_error", .counter, self.connectionErrors),
            Statistic("ssl.fail_verify_error", .counter, self.verificationErrors),
            Statistic("ssl.fail_verify_san", .counter, self.nameErrors),
            Statistic("ssl.fail_verify_no_cert", .counter, self.missingCertificates),
            Statistic("ssl.fail_verify_cert_hash", .counter, self.hashErrors),
            Statistic("ssl.handshake_timeout", .counter, self.timeouts),
            Statistic("ssl.no_secret", .counter, self.noSecret),
        ]
    }

    mutating func add(_ other: TLSStatistics) {
        self.handshakes += other.handshakes
        self.noCertificate += other.noCertificate
        self.connectionErrors += other.connectionErrors
        self.verificationErrors += other.verificationErrors
        self.nameErrors += other.nameErrors
        self.missingCertificates += other.missingCertificates
        self.hashErrors += other.hashErrors
        self.timeouts += other.timeouts
        self.noSecret += other.noSecret
    }

    /// A handshake that failed, for what was found wrong with the peer, if that was it.
    mutating func count(_ kind: PeerRefusal.Kind?) {
        switch kind {
        case .noCertificate: self.missingCertificates += 1
        case .error: self.verificationErrors += 1
        case .name: self.nameErrors += 1
        case .hash: self.hashErrors += 1
        case nil: ()
        }
        self.connectionErrors += 1
    }
}
