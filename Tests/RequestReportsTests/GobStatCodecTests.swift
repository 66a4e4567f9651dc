import MeshModel
import RequestReports
import Testing

@Suite struct GobStatCodecTests {
    private static let definitions06 = """
        2bff810301010b537461744d65737361676501ff8200010201034b6579010c0001045374617401ff84000000
        ff94ff83030101045374617401ff84000106010454696d6501ff86000107506f644e616d65010c000119417665
        72616765436f6e63757272656e74526571756573747301080001204176657261676550726f78696564436f6e63
        757272656e745265717565737473010800010c52657175657374436f756e74010400011350726f786965645265
        7175657374436f756e7401040000000aff85050102ff88000000
        """
    private static let definitions08 = """
        2cff890301010b537461744d65737361676501ff8a00010201034b657901ff8c0001045374617401ff8e000000
        33ff8b0301010e4e616d657370616365644e616d6501ff8c00010201094e616d657370616365010c0001044e61
        6d65010c000000ff94ff8d030101045374617401ff8e000106010454696d6501ff86000107506f644e616d6501
        0c00011941766572616765436f6e63757272656e74526571756573747301080001204176657261676550726f78
        696564436f6e63757272656e745265717565737473010800010c52657175657374436f756e7401080001135072
        6f7869656452657175657374436f756e7401080000000aff85050102ff88000000
        """

    private let message = StatMessage(
        revision: ObjectID(namespace: "default", name: "hello-00001"),
        stat: Stat(
            podName: "activator-1",
            averageConcurrentRequests: 1,
            averageProxiedConcurrentRequests: 0.5,
            requestCount: 7,
            proxiedRequestCount: 2
        )
    )

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.filter(\.isHexDigit).compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    private func code(_ bytes: [UInt8]) -> GobError.Code? {
        do {
            _ = try GobStatCodec.decode(bytes)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(
        "What Go writes is read: with a text key or a name, whole or broken counts, with a moment or without",
        arguments: [
            definitions06
                + "33ff82011364656661756c742f68656c6c6f2d303030303101020b616374697661746f722d3101fef03f01fee03f010e01040000",
            definitions06
                + "44ff82011364656661756c742f68656c6c6f2d303030303101010f010000000ed4fd8da000000005ffff010b61637469766174"
                + "6f722d3101fef03f01fee03f010e01040000",
            definitions08
                + "38ff8a01010764656661756c74010b68656c6c6f2d30303030310001020b616374697661746f722d3101fef03f01fee03f01fe"
                + "1c4001400000",
            definitions08
                + "49ff8a01010764656661756c74010b68656c6c6f2d30303030310001010f010000000ed4fd8da000000005ffff010b61637469"
                + "7661746f722d3101fef03f01fee03f01fe1c4001400000",
        ]
    )
    func readsGo(_ hex: String) throws {
        #expect(try GobStatCodec.decode(self.bytes(hex)) == [self.message])
    }

    @Test("The value is written as Go writes it", arguments: [GobStatCodec.Form.textKey, .namespacedName])
    func writesGo(_ form: GobStatCodec.Form) {
        // Without the moment PodName is the stat's first field; our types have the ids 64 and 65.
        let value =
            form == .textKey
            ? "33ff80011364656661756c742f68656c6c6f2d303030303101010b616374697661746f722d3101fef03f01fee03f010e01040000"
            : "38ff8001010764656661756c74010b68656c6c6f2d30303030310001010b616374697661746f722d3101fef03f01fee03f01fe1c40"
                + "01400000"

        let written = GobStatCodec.encode(self.message, as: form)
        #expect(Array(written.suffix(value.count / 2)) == self.bytes(value))
    }

    @Test("What is written is read again", arguments: [GobStatCodec.Form.textKey, .namespacedName])
    func roundTrip(_ form: GobStatCodec.Form) throws {
        for stat in [Stat(), self.message.stat, Stat(averageConcurrentRequests: 1e9, requestCount: 2_147_483_647)] {
            let message = StatMessage(revision: self.message.revision, stat: stat)
            #expect(try GobStatCodec.decode(GobStatCodec.encode(message, as: form)) == [message])
        }
    }

    @Test("Counts beyond Go's int32 are cut, not wrapped")
    func largeCounts() throws {
        let message = StatMessage(
            revision: self.message.revision,
            stat: Stat(requestCount: 1e12, proxiedRequestCount: -5)
        )
        let read = try GobStatCodec.decode(GobStatCodec.encode(message, as: .textKey))

        #expect(read.first?.stat.requestCount == 2_147_483_647)
        #expect(read.first?.stat.proxiedRequestCount == 0)
    }

    @Test("A frame that ends too early is refused, wherever it ends")
    func truncated() {
        let whole = GobStatCodec.encode(self.message, as: .namespacedName)
        let lengths = (1..<whole.count).filter { self.code(Array(whole.prefix($0))) == nil }

        // Only between two messages a shorter frame is whole; without the value there is no stat message in it.
        #expect(lengths.allSatisfy { (try? GobStatCodec.decode(Array(whole.prefix($0)))) == [] })
        #expect(lengths.count == 3)
    }

    @Test(
        "Broken frames are refused for what is wrong with them",
        arguments: [
            ("03ff8200", GobError.Code.unknownType),  // a value of a type that nobody has defined
            ("80", .badNumber),  // a number of 128 bytes
            ("f7000000000000000001", .badNumber),  // one of nine bytes
            ("05", .truncated),
            ("03ff8100", .badDefinition),  // 65 is defined as nothing
            ("03010600", .badDefinition),  // an id below those of users
            ("04 0c 00 01 61", .missingField),  // a text instead of a stat message
            ("05 0c 00 01 61 61", .trailingBytes),
            ("04 0c 00 01 ff", .badText),
        ]
    )
    func refuses(_ hex: String, _ code: GobError.Code) { #expect(self.code(self.bytes(hex)) == code) }

    @Test("A key without namespace or name is refused")
    func badKeys() {
        for name in ["", "a/b"] {
            let message = StatMessage(revision: ObjectID(namespace: "default", name: name), stat: Stat())
            #expect(self.code(GobStatCodec.encode(message, as: .textKey)) == .missingField)
        }
        let message = StatMessage(revision: ObjectID(namespace: "", name: "a"), stat: Stat())
        #expect(self.code(GobStatCodec.encode(message, as: .namespacedName)) == .missingField)
    }

    @Test("A frame that is larger than any stat message is refused before it is read")
    func tooLarge() {
        #expect(self.code(Array(repeating: 1, count: (64 << 10) + 1)) == .tooLarge)
    }
}
