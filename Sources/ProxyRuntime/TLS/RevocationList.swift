internal import NIOSSL

/// Certificates that their issuers have taken back (RFC 5280 section 5).
///
/// The TLS library knows no revocation lists, so the serial numbers are read here. A list's signature is not checked:
/// it comes from the configuration, as the roots do. Only the peer's own certificate is looked up.
struct RevocationList: Hashable, Sendable {
    /// Serial numbers by the issuer's name, both as they are encoded.
    private var serials: [[UInt8]: Set<[UInt8]>] = [:]

    /// - Returns: `nil` if it holds no list, or one that cannot be read.
    init?(pem: [UInt8]) {
        let blocks = PEM.blocks(in: pem, label: "X509 CRL")
        guard !blocks.isEmpty else { return nil }
        for block in blocks {
            guard let (issuer, revoked) = Self.parse(block) else { return nil }
            self.serials[issuer, default: []].formUnion(revoked)
        }
    }

    /// Why a certificate may not be used; `nil`: it may.
    func refusal(of certificate: NIOSSLCertificate) -> String? {
        // The library made it from DER: it can be written as DER.
        guard let bytes = try? certificate.toDERBytes(), let (issuer, serial) = Self.identity(bytes) else {
            return "certificate cannot be read"
        }
        guard let revoked = self.serials[issuer] else { return "no revocation list of the certificate's issuer" }
        return revoked.contains(serial) ? "certificate has been revoked" : nil
    }

    /// Issuer and serial number of a certificate.
    private static func identity(_ bytes: [UInt8]) -> ([UInt8], [UInt8])? {
        var outer = DERReader(bytes[...])
        guard var certificate = outer.constructed(0x30), var body = certificate.constructed(0x30) else { return nil }
        if body.peek == 0xA0 { _ = body.element() }  // version
        guard let serial = body.element(), serial.tag == 0x02, body.element() != nil, let issuer = body.element() else {
            return nil
        }
        return (Array(issuer.encoded), Array(serial.content))
    }

    private static func parse(_ bytes: [UInt8]) -> ([UInt8], Set<[UInt8]>)? {
        var outer = DERReader(bytes[...])
        guard var list = outer.constructed(0x30), var body = list.constructed(0x30) else { return nil }
        if body.peek == 0x02 { _ = body.element() }  // version
        guard body.element() != nil, let issuer = body.element(), body.element() != nil else { return nil }
        if body.peek == 0x17 || body.peek == 0x18 { _ = body.element() }  // next update
        var serials: Set<[UInt8]> = []
        if body.peek == 0x30, var entries = body.constructed(0x30) {
            while !entries.isEmpty {
                guard var entry = entries.constructed(0x30), let serial = entry.element(), serial.tag == 0x02 else {
                    return nil
                }
                serials.insert(Array(serial.content))
            }
        }
        return (Array(issuer.encoded), serials)
    }
}

/// Elements of DER, every length checked.
struct DERReader {
    struct Element {
        var tag: UInt8
        var content: ArraySlice<UInt8>
        /// With tag and length.
        var encoded: ArraySlice<UInt8>
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.rest = bytes }

    var isEmpty: Bool { self.rest.isEmpty }
    var peek: UInt8? { self.rest.first }

    mutating func element() -> Element? {
        let all = self.rest
        guard let tag = self.rest.popFirst(), tag & 0x1F != 0x1F, let first = self.rest.popFirst() else { return nil }
        var count = Int(first)
        if first & 0x80 != 0 {
            let digits = Int(first & 0x7F)
            guard (1...4).contains(digits), self.rest.count >= digits else { return nil }
            count = 0
            for _ in 0..<digits { count = count << 8 | Int(self.rest.removeFirst()) }
        }
        guard count <= self.rest.count else { return nil }
        let content = self.rest.prefix(count)
        self.rest = self.rest.dropFirst(count)
        return Element(tag: tag, content: content, encoded: all[all.startIndex..<content.endIndex])
    }

    mutating func constructed(_ tag: UInt8) -> DERReader? {
        guard let element = self.element(), element.tag == tag else { return nil }
        return DERReader(element.content)
    }
}

/// Blocks of RFC 7468.
enum PEM {
    /// The bytes of all blocks with this label; blocks that are no base64 are left out.
    static func blocks(in text: [UInt8], label: String) -> [[UInt8]] {
        let begin = Array("-----BEGIN \(label)-----".utf8)
        let end = Array("-----END \(label)-----".utf8)
        var blocks: [[UInt8]] = []
        var isInside = false
        var body: [UInt8] = []
        for line in text.split(whereSeparator: { $0 == 10 || $0 == 13 }) {
            if line.elementsEqual(begin) {
                isInside = true
                body = []
            } else if line.elementsEqual(end) {
                if isInside, let bytes = Self.decoded(body) { blocks.append(bytes) }
                isInside = false
            } else if isInside {
                body.append(contentsOf: line)
            }
        }
        return blocks
    }

    /// RFC 4648 section 4; `nil` if a byte does not belong there.
    private static func decoded(_ text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text where character != 0x20 && character != 0x09 && character != UInt8(ascii: "=") {
            let value: UInt8
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - 71
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character + 4
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
