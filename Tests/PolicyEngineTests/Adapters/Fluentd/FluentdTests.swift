import NIOCore
import PolicyEngine
import Testing

@Suite struct FluentdTests {
    private func hex(_ buffer: ByteBuffer) -> String {
        buffer.readableBytesView.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test(
        "Values have MessagePack's form",
        arguments: [
            (.bool(true), "c3"), (.number(0), "00"), (.number(127), "7f"), (.number(128), "d30000000000000080"),
            (.number(-1), "d3ffffffffffffffff"), (.double(1.5), "cb3ff8000000000000"), (.text("a"), "a161"),
            (.time(seconds: 1, nanoseconds: 2), "d7000000000100000002"), (.list([.text(""), .bool(false)]), "92a0c2"),
            (.map([("k", .number(1))]), "81a16b01"),
        ] as [(MessagePack, String)]
    )
    func values(_ value: MessagePack, _ hex: String) { #expect(self.hex(value.bytes) == hex) }

    @Test(
        "Lengths have their shortest form",
        arguments: [
            (31, "bf"), (32, "d920"), (255, "d9ff"), (256, "da0100"), (65_535, "daffff"), (65_536, "db00010000"),
        ]
    )
    func texts(_ count: Int, _ head: String) {
        #expect(self.hex(MessagePack.text(String(repeating: "x", count: count)).bytes).hasPrefix(head + "78"))
    }

    @Test(
        "Lists and maps of many elements say so",
        arguments: [(15, "9f", "8f"), (16, "dc0010", "de0010"), (65_536, "dd00010000", "df00010000")]
    )
    func lists(_ count: Int, _ list: String, _ map: String) {
        let elements = Array(repeating: MessagePack.number(1), count: count)

        #expect(self.hex(MessagePack.list(elements).bytes).hasPrefix(list + "01"))
        #expect(self.hex(MessagePack.map(elements.map { ("", $0) }).bytes).hasPrefix(map + "a001"))
    }

    @Test("An entry is its moment and a record of its variables with the severity")
    func entries() throws {
        var data = InstanceData(name: "access", namespace: "istio-system", template: "logentry")
        data.values["timestamp"] = .timestamp(try #require(Timestamp(seconds: 1, nanoseconds: 2)))
        data.values["severity"] = .string("info")
        data.maps["variables"] = [
            "took": .duration(.milliseconds(1500)), "code": .int64(200), "labels": .stringMap(["a": "b"]),
        ]

        func expected(_ took: MessagePack) -> ByteBuffer {
            MessagePack.list([
                .time(seconds: 1, nanoseconds: 2),
                .map([
                    ("code", .number(200)), ("labels", .map([("a", .text("b"))])), ("took", took),
                    ("severity", .text("info")),
                ]),
            ]).bytes
        }
        #expect(ForwardEntry.bytes(of: data, areDurationsWhole: false) == expected(.text("1.5s")))
        #expect(ForwardEntry.bytes(of: data, areDurationsWhole: true) == expected(.number(1500)))
    }

    @Test("A batch has entries of one tag, as many as fit, oldest first")
    func batches() throws {
        var queue = ForwardQueue(entriesMax: 10, batchBytesMax: 4)
        func add(_ text: String, _ tag: String) -> ForwardQueue.OnEntry {
            queue.add(ByteBuffer(string: text), tag: tag)
        }

        #expect(add("aa", "x") == .kept)
        #expect(add("b", "y") == .kept)
        #expect(add("cc", "x") == .batchReady)
        #expect(add("d", "x") == .batchReady)
        #expect(add("eeeee", "x") == .tooLarge)
        let batches = [queue.batch(name: "1"), queue.batch(name: "2"), queue.batch(name: "3"), queue.batch(name: "4")]

        #expect(batches.map { $0?.count } == [2, 1, 1, nil])
        #expect(
            self.hex(try #require(batches[0]).message) == "93a17892" + "61616363" + "82a473697a6502a56368756e6ba131"
        )
        #expect(self.hex(try #require(batches[1]).acknowledgement) == "81a361636ba132")
        #expect(queue.count == 0)
    }

    @Test("What waits is bounded, by number and by bytes")
    func bounds() {
        var many = ForwardQueue(entriesMax: 2, batchBytesMax: 100)
        var large = ForwardQueue(entriesMax: 100, batchBytesMax: 4)

        #expect((0..<3).map { _ in many.add(ByteBuffer(string: "a"), tag: "t") } == [.kept, .kept, .queueFull])
        #expect((0..<9).map { _ in large.add(ByteBuffer(string: "aaaa"), tag: "t") }.last == .queueFull)
        #expect(large.count == 8)
    }
}
