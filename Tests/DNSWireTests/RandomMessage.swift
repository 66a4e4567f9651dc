import DNSWire
import MeshTestSupport

/// Well-formed messages of any shape.
enum RandomMessage {
    static func message(_ random: inout SeededGenerator) -> DNSMessage {
        let names = (0..<4).map { _ in Self.name(&random) }
        return DNSMessage(
            header: DNSHeader(
                id: UInt16(random.number(0...65_535)),
                flags: UInt16(random.number(0...65_535)) & ~0x0200
            ),
            questions: (0..<random.number(0...2)).map { _ in
                DNSQuestion(name: names[random.number(0...3)], type: random.chance(1, outOf: 2) ? .a : .any)
            },
            answers: Self.records(&random, names),
            authorities: Self.records(&random, names),
            additionals: Self.records(&random, names),
            edns: random.chance(1, outOf: 2)
                ? DNSExtension(
                    payloadMax: UInt16(random.number(0...65_535)),
                    version: UInt8(random.number(0...255)),
                    responseCodeUpper: UInt8(random.number(0...255)),
                    wantsSignatures: random.chance(1, outOf: 2)
                ) : nil
        )
    }

    static func name(_ random: inout SeededGenerator) -> DNSName {
        let endings = ["", ".com", ".svc.cluster.local", ".Example.ORG"]
        let word = random.word(length: 1...20)
        return DNSName(word + endings[random.number(0...3)]) ?? .root
    }

    private static func records(_ random: inout SeededGenerator, _ names: [DNSName]) -> [DNSRecord] {
        (0..<random.number(0...6)).map { _ in
            let target = names[random.number(0...3)]
            let data: DNSData =
                switch random.number(0...6) {
                case 0: .a(UInt32.random(in: 0...UInt32.max, using: &random))
                case 1: .aaaa(high: random.next(), low: random.next())
                case 2: .cname(target)
                case 3: .ptr(target)
                case 4: .srv(priority: 1, weight: 2, port: UInt16(random.number(0...65_535)), target: target)
                case 5:
                    .soa(
                        DNSStartOfAuthority(
                            primary: target,
                            mailbox: names[0],
                            serial: 1,
                            refresh: 2,
                            retry: 3,
                            expire: 4,
                            minimum: 5
                        )
                    )
                default: .opaque(.txt, random.bytes(count: random.number(0...40)))
                }
            return DNSRecord(name: names[random.number(0...3)], ttl: UInt32(random.number(0...86_400)), data: data)
        }
    }
}
