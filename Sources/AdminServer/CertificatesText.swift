internal import Glibc

/// A certificate, for `/certs`.
package struct CertificateLine: Sendable, Hashable {
    /// Lower-case hex.
    package var serial: String
    package var uris: [String]
    package var dnsNames: [String]
    /// Seconds since 1970.
    package var validFrom: Double
    package var validUntil: Double

    package init(serial: String, uris: [String], dnsNames: [String], validFrom: Double, validUntil: Double) {
        self.serial = serial
        self.uris = uris
        self.dnsNames = dnsNames
        self.validFrom = validFrom
        self.validUntil = validUntil
    }
}

/// What a side of TLS trusts and shows.
package struct CertificateSet: Sendable, Hashable {
    package var roots: [CertificateLine]
    package var chain: [CertificateLine]

    package init(roots: [CertificateLine], chain: [CertificateLine]) {
        self.roots = roots
        self.chain = chain
    }
}

/// Certificates as Envoy's `/certs` prints them.
package enum CertificatesText {
    package static func json(_ sets: [CertificateSet], now: Double) -> String {
        let entries = sets.map { set in
            " {\n  \"ca_cert\": \(Self.list(set.roots, now)),\n  \"cert_chain\": \(Self.list(set.chain, now))\n }"
        }
        return "{\"certificates\": [\n\(entries.joined(separator: ",\n"))\n]}\n"
    }

    /// `2026-01-31T09:08:07Z`
    package static func date(_ seconds: Double) -> String {
        var time = time_t(min(max(seconds, -6e10), 2.5e11))  // years 0 to 9999
        var parts = tm()
        gmtime_r(&time, &parts)
        func padded(_ number: Int32, _ count: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, count - digits.count)) + digits
        }
        return "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))T"
            + "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))Z"
    }

    private static func list(_ lines: [CertificateLine], _ now: Double) -> String {
        "[" + lines.map { Self.object($0, now) }.joined(separator: ", ") + "]"
    }

    private static func object(_ line: CertificateLine, _ now: Double) -> String {
        let names =
            line.uris.map { "{\"uri\": \(JSONText.string($0))}" }
            + line.dnsNames.map { "{\"dns\": \(JSONText.string($0))}" }
        let days = max(0, Int(min((line.validUntil - now) / 86_400, 1e9)))
        return """
            {
               "path": "<inline>",
               "serial_number": \(JSONText.string(line.serial)),
               "subject_alt_names": [\(names.joined(separator: ", "))],
               "days_until_expiration": "\(days)",
               "valid_from": "\(Self.date(line.validFrom))",
               "expiration_time": "\(Self.date(line.validUntil))"
              }
            """
    }
}
