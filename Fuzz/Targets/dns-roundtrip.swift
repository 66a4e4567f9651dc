// Well-formed DNS messages of any shape, made out of the input: written and read again, they are the same.

import DNSWire
import NIOCore

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var source = Source(bytes: Array(UnsafeRawBufferPointer(start: data, count: count)))
    let message = source.message()

    var buffer = ByteBuffer()
    message.encode(into: &buffer, limit: 65_535)
    guard let again = try? DNSMessage(decoding: buffer) else { fatalError("cannot read what was written") }
    invariant(again == message, "written and read, a message has changed")
    return 0
}

/// Turns bytes into choices; behind its end everything is zero.
private struct Source {
    let bytes: [UInt8]
    var position = 0
    var names: [DNSName] = [.root]

    mutating func byte() -> Int {
        guard self.position < self.bytes.count else { return 0 }
        defer { self.position += 1 }
        return Int(self.bytes[self.position])
    }

    mutating func number() -> UInt32 {
        UInt32(self.byte()) << 24 | UInt32(self.byte()) << 16 | UInt32(self.byte()) << 8 | UInt32(self.byte())
    }

    mutating func some(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(self.byte()) } }

    /// A name from before, one below it, or a new one.
    mutating func name() -> DNSName {
        let choice = self.byte()
        let base = self.names[choice % self.names.count]
        guard choice >= 64 else { return base }
        let letters = self.some(1 + self.byte() % 63).map { 97 + $0 % 26 }
        guard let label = DNSName(String(decoding: letters, as: UTF8.self)),
            let name = label.appending(choice >= 192 ? .root : base)
        else { return base }
        self.names.append(name)
        return name
    }

    mutating func record() -> DNSRecord {
        let name = self.name()
        let data: DNSData =
            switch self.byte() % 7 {
            case 0: .a(self.number())
            case 1: .aaaa(high: UInt64(self.number()), low: UInt64(self.number()))
            case 2: .cname(self.name())
            case 3: .ptr(self.name())
            case 4: .srv(priority: 1, weight: 2, port: UInt16(self.byte()), target: self.name())
            case 5:
                .soa(
                    DNSStartOfAuthority(
                        primary: self.name(),
                        mailbox: self.name(),
                        serial: self.number(),
                        refresh: 1,
                        retry: 2,
                        expire: 3,
                        minimum: self.number()
                    )
                )
            default: .opaque(DNSType(rawValue: 16), self.some(self.byte()))
            }
        return DNSRecord(name: name, ttl: self.number(), data: data)
    }

    mutating func message() -> DNSMessage {
        // TC says that something was left out, which is not the case here.
        let header = DNSHeader(id: UInt16(self.byte()), flags: UInt16(truncatingIfNeeded: self.number()) & ~0x0200)
        let questions = (0..<self.byte() % 3).map { _ in DNSQuestion(name: self.name(), type: .a) }
        let answers = (0..<self.byte() % 32).map { _ in self.record() }
        let authorities = (0..<self.byte() % 4).map { _ in self.record() }
        let additionals = (0..<self.byte() % 4).map { _ in self.record() }
        return DNSMessage(
            header: header,
            questions: questions,
            answers: answers,
            authorities: authorities,
            additionals: additionals,
            edns: self.byte() % 2 == 0 ? nil : DNSExtension(payloadMax: UInt16(self.byte()) << 4)
        )
    }
}
