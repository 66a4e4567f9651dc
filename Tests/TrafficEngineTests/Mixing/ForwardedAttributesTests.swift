import Testing
import TrafficEngine

/// What callers' proxies say of themselves.
@Suite struct ForwardedAttributesTests {
    private func taken(_ value: String, of namespace: String = "shop") -> String? {
        Array(value.utf8).withUnsafeBytes { ForwardedAttributes.sourceUID(in: $0, of: namespace) }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    private func told(_ uid: String) -> String {
        String(decoding: ForwardedAttributes.value(sourceUID: uid), as: UTF8.self)
    }

    @Test(
        "What is told is taken",
        arguments: ["kubernetes://web-1.shop", "kubernetes://a.b.shop", "kubernetes://1.shop"]
    )
    func roundTrip(_ uid: String) { #expect(self.taken(self.told(uid)) == uid) }

    @Test("The value is Istio's, byte for byte")
    func wire() {
        // Made by protoc out of `attributes {key: "source.uid" value {string_value: "kubernetes://web-1.shop"}}`.
        let value = "CicKCnNvdXJjZS51aWQSGRIXa3ViZXJuZXRlczovL3dlYi0xLnNob3A="
        #expect(self.told("kubernetes://web-1.shop") == value)
        #expect(self.taken(value) == "kubernetes://web-1.shop")
        #expect(self.taken(String(value.dropLast())) == "kubernetes://web-1.shop")
    }

    @Test(
        "A pod of another namespace, and what is no pod at all, is not believed",
        arguments: [
            "kubernetes://web-1.bank", "kubernetes://.shop", "kubernetes://shop", "kubernetes://web-1.shop.bank",
            "kubernetes://web-1.xshop", "Kubernetes://web-1.shop", "web-1.shop", "", "kubernetes://Web.shop",
            "kubernetes://a b.shop", "kubernetes://a\u{0}.shop", "kubernetes://\u{e9}.shop",
        ]
    )
    func strangers(_ uid: String) { #expect(self.taken(self.told(uid)) == nil) }

    @Test("Names have a length, and so has the whole value")
    func lengths() {
        let longest = "kubernetes://" + String(repeating: "a", count: 253 + 1 + 63 - 5) + ".shop"
        #expect(self.taken(self.told(longest)) == longest)
        #expect(self.taken(self.told("kubernetes://a" + longest.dropFirst(13))) == nil)
        // Padded by an entry that says nothing: 2048 letters and four more.
        let entry = Array("\u{0A}\u{27}\u{0A}\u{0A}source.uid\u{12}\u{19}\u{12}\u{17}kubernetes://web-1.shop".utf8)
        for (count, isTaken) in [(1536, true), (1539, false)] {
            let rest = count - entry.count - 3
            var filler: [UInt8] = [0x12, UInt8(rest & 0x7F) | 0x80, UInt8(rest >> 7)]
            filler += [UInt8](repeating: 0, count: rest)
            let value = Self.base64(entry + filler)
            #expect((self.taken(value) != nil) == isTaken, "\(value.utf8.count) letters")
        }
    }

    @Test("A namespace that is none matches nothing", arguments: ["", "a.b"])
    func namespaces(_ namespace: String) {
        #expect(self.taken(self.told("kubernetes://x.\(namespace)"), of: namespace) == nil)
    }

    @Test(
        "What is no base64 or no message is refused",
        arguments: [
            "", "=", "A", "A===", "AAA==", "CicK*CnNv", "CicKCnNvdXJjZS51aWQSGRIXa3ViZXJuZXRlczovL3dlYi0xLnNob3B=",
            "CicKCnNvdXJjZS51aWQ", "/////w==", "CicKCnNvdXJjZS51aWQSGRIXa3ViZXJuZXRlczovL3dlYi0xLnNob3A=\n",
        ]
    )
    func malformed(_ value: String) { #expect(self.taken(value) == nil) }

    @Test("Of entries with one key, and of values in one entry, the last counts")
    func last() {
        func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
        func entry(_ value: [UInt8]) -> [UInt8] { field(1, field(1, Array("source.uid".utf8)) + field(2, value)) }
        let one = field(2, Array("kubernetes://one.shop".utf8))
        let two = field(2, Array("kubernetes://two.shop".utf8))
        #expect(self.taken(Self.base64(entry(one) + entry(two))) == "kubernetes://two.shop")
        #expect(self.taken(Self.base64(entry(one + two))) == "kubernetes://two.shop")
        // `int64_value` is of the same choice.
        #expect(self.taken(Self.base64(entry(one + [0x18, 1]))) == nil)
        #expect(self.taken(Self.base64(entry([0x18, 1] + one))) == "kubernetes://one.shop")
        // Fields of a later version are passed over.
        #expect(self.taken(Self.base64([0x2A, 1, 9, 0x31] + [UInt8](repeating: 1, count: 8) + entry(one))) != nil)
        // Groups are of the past.
        #expect(self.taken(Self.base64(entry(one) + [0x0B])) == nil)
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var bits: [UInt8] = bytes.flatMap { byte in (0..<8).map { byte >> UInt8(7 - $0) & 1 } }
        while bits.count % 6 != 0 { bits.append(0) }
        for start in stride(from: 0, to: bits.count, by: 6) {
            let index = bits[start..<start + 6].reduce(0) { $0 << 1 | Int($1) }
            text.append(letters[index])
        }
        while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
        return String(decoding: text, as: UTF8.self)
    }
}
