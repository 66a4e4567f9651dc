internal import Crypto
internal import MeshModel
internal import NIOSSL
internal import TrafficEngine

/// The alternative names of a certificate (RFC 5280 section 4.2.1.6) by kind, in its order.
struct CertificateNames: Hashable, Sendable {
    var uris: [String] = []
    var dns: [String] = []
    var emails: [String] = []
    var addresses: [String] = []

    init() {}

    init(_ certificate: NIOSSLCertificate) {
        for name in certificate._subjectAlternativeNames() {
            switch name.nameType {
            case .uri: self.uris.append(String(decoding: name.contents, as: UTF8.self))
            case .dnsName: self.dns.append(String(decoding: name.contents, as: UTF8.self))
            case .email: self.emails.append(String(decoding: name.contents, as: UTF8.self))
            case .ipAddress:
                if let address = IPAddress(bytes: Array(name.contents)) { self.addresses.append("\(address)") }
            default: ()
            }
        }
    }

    /// All of them, for messages; a certificate may have any number, a line has not.
    var text: String {
        let all =
            self.uris.map { "URI:\($0)" } + self.dns.map { "DNS:\($0)" } + self.emails.map { "email:\($0)" }
            + self.addresses.map { "IP:\($0)" }
        if all.isEmpty { return "no alternative names" }
        let shown = all.prefix(8).joined(separator: ",")
        return all.count > 8 ? "\(shown),and \(all.count - 8) more" : shown
    }
}

extension IPAddress {
    /// From 4 or 16 bytes in network order.
    fileprivate init?(bytes: [UInt8]) {
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: self = .v4(UInt32(truncatingIfNeeded: number(0..<4)))
        case 16: self = .v6(high: number(0..<8), low: number(8..<16))
        default: return nil
        }
    }
}

/// Names of subjects and issuers as text.
enum DistinguishedName {
    /// RFC 2253: the last part first. Parts that the library does not name are left out.
    static func text(_ parts: [SSLCertificateName]) -> String {
        parts.reversed().compactMap { part in
            Self.key(part.type).map { "\($0)=\(Self.escaped(part.value))" }
        }.joined(separator: ",")
    }

    private static func key(_ type: SSLCertificateNameType) -> String? {
        switch type {
        case .commonName: "CN"
        case .organization: "O"
        case .organizationalUnit: "OU"
        case .country: "C"
        case .state: "ST"
        case .city: "L"
        case .emailAddress: "emailAddress"
        case .userId: "UID"
        default: nil
        }
    }

    /// RFC 2253 section 2.4.
    private static func escaped(_ value: String) -> String {
        var text = ""
        for character in value.unicodeScalars {
            switch character {
            case ",", "+", "\"", "\\", "<", ">", ";": text += "\\"
            default: ()
            }
            text.unicodeScalars.append(character.value < 0x20 || character.value == 0x7F ? "?" : character)
        }
        return text
    }
}

/// Certificates as headers carry them.
enum CertificateText {
    /// PEM (RFC 7468), with everything percent-encoded that is not unreserved (RFC 3986 section 2.3), as Envoy does.
    static func pem(_ certificate: NIOSSLCertificate) -> String {
        // The library made it from DER: it can be written as DER.
        guard let bytes = try? certificate.toDERBytes() else { return "" }
        let body = Array(CertificateHash.base64(bytes).utf8)
        var text = Array("-----BEGIN CERTIFICATE-----\n".utf8)
        for start in stride(from: 0, to: body.count, by: 64) {
            text.append(contentsOf: body[start..<min(start + 64, body.count)])
            text.append(UInt8(ascii: "\n"))
        }
        text.append(contentsOf: "-----END CERTIFICATE-----\n".utf8)
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        encoded.reserveCapacity(text.count * 5 / 4)
        for byte in text {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.append(byte)
            default: encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}

/// SHA-256 of certificates.
enum CertificateHash {
    static func hex(of certificate: NIOSSLCertificate) -> String {
        // The library made it from DER: it can be written as DER.
        guard let bytes = try? certificate.toDERBytes() else { return "" }
        return Self.hex(SHA256.hash(data: bytes))
    }

    static func base64OfPublicKey(of certificate: NIOSSLCertificate) -> String {
        // A key that cannot be read has no hash, and so equals none.
        guard let bytes = try? certificate.extractPublicKey().toSPKIBytes() else { return "" }
        return Self.base64(Array(SHA256.hash(data: bytes)))
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(64)
        let digits = Array("0123456789abcdef".utf8)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// RFC 4648 section 4.
    static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << (16 - 8 * $1.offset) }
            for index in 0..<4 {
                let isFilled = index <= group.count
                text.append(isFilled ? alphabet[Int(bits >> (18 - 6 * index)) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
