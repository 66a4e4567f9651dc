package import NIOSSL
package import TrafficEngine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What a certificate says, as far as it is looked at for each connection.
package struct CertificateReading: Sendable {
    let names: CertificateNames
    /// Without the certificate itself.
    package let identity: PeerIdentity
    /// Seconds since 1970.
    let notBefore: time_t
    let notAfter: time_t

    init(_ certificate: NIOSSLCertificate) {
        let names = CertificateNames(certificate)
        self.names = names
        self.identity = PeerIdentity(
            uris: names.uris,
            dnsNames: names.dns,
            subject: DistinguishedName.text(certificate.subjectName),
            hash: CertificateHash.hex(of: certificate)
        )
        self.notBefore = certificate.notValidBefore
        self.notAfter = certificate.notValidAfter
    }
}

/// Readings of certificates by their bytes. Peers show the same few again and again, and reading one costs twenty times
/// what comparing it does.
package struct CertificateReadings: Sendable {
    /// Peers that nobody checks may show any number of different ones.
    package static let countMax = 256
    static let bytesMax = 8192

    private var readings: [[UInt8]: CertificateReading] = [:]

    package var count: Int { self.readings.count }

    package init() {}

    package mutating func reading(of certificate: NIOSSLCertificate) -> CertificateReading {
        // The library made it from DER: it can be written as DER.
        guard let bytes = try? certificate.toDERBytes(), bytes.count <= Self.bytesMax else {
            return CertificateReading(certificate)
        }
        if let known = self.readings[bytes] { return known }
        let reading = CertificateReading(certificate)
        if self.readings.count >= Self.countMax { self.readings.removeAll(keepingCapacity: true) }
        self.readings[bytes] = reading
        return reading
    }
}
