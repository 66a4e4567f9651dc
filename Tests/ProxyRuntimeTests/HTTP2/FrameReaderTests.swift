import NIOCore
import ProxyRuntime
import Testing

private func frame(_ kind: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
    let length = payload.count
    return [
        UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), kind, flags,
        UInt8(stream >> 24), UInt8(stream >> 16 & 255), UInt8(stream >> 8 & 255), UInt8(stream & 255),
    ] + payload
}

private func read(_ reader: inout FrameReader, _ bytes: [UInt8]) -> FrameReader.Event {
    bytes.withUnsafeBytes { reader.next($0) }
}

@Suite struct FrameReaderTests {
    @Test("A frame is taken when its last byte has come, and not before")
    func waitsForAll() {
        var reader = FrameReader()
        let data = frame(0, 1, 5, Array("hello".utf8))
        for count in 0..<data.count { #expect(read(&reader, Array(data.prefix(count))) == .needsMore) }

        guard case .frame(let head, let payload, let count) = read(&reader, data) else {
            Issue.record("no frame")
            return
        }

        #expect(head.kind == .data)
        #expect(head.stream == 5)
        #expect(head.flags == .endStream)
        #expect(payload == 9..<14)
        #expect(count == 14)
    }

    @Test("Padding and priority are left out of the payload")
    func leavesPaddingOut() {
        var reader = FrameReader()
        let padded = frame(1, 0x2C, 1, [2, 0, 0, 0, 0, 16, 0x82, 0x84, 0, 0])

        guard case .frame(_, let payload, _) = read(&reader, padded) else {
            Issue.record("no frame")
            return
        }

        #expect(payload == 15..<17)
    }

    struct Bad: Sendable, CustomStringConvertible {
        var description: String
        var bytes: [UInt8]
        var code: ErrorCode
    }

    static let bad: [Bad] = [
        Bad(description: "a giant frame", bytes: [0, 0x40, 1, 0, 0, 0, 0, 0, 1], code: .frameSize),
        Bad(description: "data on stream 0", bytes: frame(0, 0, 0, [1]), code: .protocol),
        Bad(description: "headers on stream 0", bytes: frame(1, 4, 0, [0x82]), code: .protocol),
        Bad(description: "more padding than payload", bytes: frame(0, 8, 1, [5, 1, 2]), code: .protocol),
        Bad(description: "padding without a length", bytes: frame(0, 8, 1, []), code: .protocol),
        Bad(description: "a short priority in headers", bytes: frame(1, 0x24, 1, [0, 0]), code: .protocol),
        Bad(description: "priority of four bytes", bytes: frame(2, 0, 1, [0, 0, 0, 0]), code: .frameSize),
        Bad(description: "reset of three bytes", bytes: frame(3, 0, 1, [0, 0, 0]), code: .frameSize),
        Bad(description: "reset of stream 0", bytes: frame(3, 0, 0, [0, 0, 0, 0]), code: .protocol),
        Bad(description: "settings on a stream", bytes: frame(4, 0, 1, []), code: .protocol),
        Bad(description: "half a setting", bytes: frame(4, 0, 0, [0, 3, 0]), code: .frameSize),
        Bad(
            description: "an acknowledgement that says more",
            bytes: frame(4, 1, 0, [0, 3, 0, 0, 0, 1]),
            code: .frameSize
        ),
        Bad(description: "a push", bytes: frame(5, 4, 1, [0, 0, 0, 2, 0x82]), code: .protocol),
        Bad(
            description: "a ping of seven bytes",
            bytes: frame(6, 0, 0, [UInt8](repeating: 0, count: 7)),
            code: .frameSize
        ),
        Bad(description: "a ping on a stream", bytes: frame(6, 0, 1, [UInt8](repeating: 0, count: 8)), code: .protocol),
        Bad(description: "a short goodbye", bytes: frame(7, 0, 0, [0, 0, 0, 0]), code: .frameSize),
        Bad(description: "a window update of three bytes", bytes: frame(8, 0, 0, [0, 0, 1]), code: .frameSize),
        Bad(description: "a continuation of nothing", bytes: frame(9, 4, 1, [0x82]), code: .protocol),
    ]

    @Test("Malformed frames are refused", arguments: Self.bad)
    func refuses(_ bad: Bad) {
        var reader = FrameReader()

        #expect(read(&reader, bad.bytes) == .failed(bad.code))
    }

    @Test("Nothing comes between the parts of a header block", arguments: [0, 1, 3, 4, 6, 8, 100] as [UInt8])
    func keepsBlocksTogether(_ kind: UInt8) {
        var reader = FrameReader()
        _ = read(&reader, frame(1, 0, 1, [0x82]))

        #expect(read(&reader, frame(kind, 0, 1, [0, 0, 0, 1])) == .failed(.protocol))
    }

    @Test("A continuation must be of the stream whose block is open")
    func knowsTheOpenBlock() {
        var reader = FrameReader()
        _ = read(&reader, frame(1, 0, 1, [0x82]))
        var other = reader

        #expect(read(&other, frame(9, 4, 3, [0x84])) == .failed(.protocol))
        guard case .frame = read(&reader, frame(9, 4, 1, [0x84])) else {
            Issue.record("refused")
            return
        }
        #expect(reader.openBlock == nil)
    }

    @Test("Frames of unknown types are passed by")
    func knowsUnknown() {
        var reader = FrameReader()

        guard case .frame(let head, _, _) = read(&reader, frame(77, 255, 9, [1, 2, 3])) else {
            Issue.record("refused")
            return
        }
        #expect(head.kind == nil)
    }

    @Test("A header block that fits no frame goes out in several")
    func cutsLongBlocks() {
        var out = ByteBuffer()
        FrameWriter.headers(stream: 3, endsStream: true, lengthMax: 10, to: &out) { out in
            out.writeBytes((0..<25).map { UInt8($0) })
        }
        var reader = FrameReader()
        var heads: [FrameHead] = []
        var payload: [UInt8] = []
        while case .frame(let head, let range, let count) = out.withUnsafeReadableBytes({ reader.next($0) }) {
            heads.append(head)
            payload += out.getBytes(at: out.readerIndex + range.lowerBound, length: range.count) ?? []
            out.moveReaderIndex(forwardBy: count)
        }

        #expect(heads.map(\.kind) == [.headers, .continuation, .continuation])
        #expect(heads.map(\.flags) == [.endStream, [], .endHeaders])
        #expect(payload == (0..<25).map { UInt8($0) })
    }
}

@Suite struct FlowWindowTests {
    @Test("A window gives no more than it has, and never grows over its limit")
    func keepsCount() {
        var window = FlowWindow(size: 10)

        let steps = [window.take(10), window.take(1), window.add(-5), window.take(1)]

        #expect(steps == [true, false, true, false])
        #expect(window.size == -5)
        let ends = [window.add(FlowWindow.sizeMax), window.add(6)]
        #expect(ends == [true, false])
    }

    @Test("A peer is told of half a window at a time, and only of what was passed on")
    func updatesByHalves() {
        var window = ReceiveWindow(size: 100)

        let first = [window.received(60), window.received(41)]
        let updates = [window.passedOn(49), window.passedOn(11)]
        let second = [window.received(100), window.received(1)]
        let last = window.passedOn(1000)

        #expect(first == [true, false])
        #expect(updates == [0, 60])
        #expect(second == [true, false])
        #expect(last == 100)
        #expect(window.held == 0)
    }
}

@Suite struct FloodGuardTests {
    @Test("Each nuisance has a burst and no more", arguments: FloodGuard.Nuisance.allCases)
    func boundsBursts(_ nuisance: FloodGuard.Nuisance) {
        var flood = FloodGuard()
        var allowed = 0
        while flood.allows(nuisance, at: 1), allowed < 100_000 { allowed += 1 }

        #expect((100...2000).contains(allowed))
        let more = flood.allows(nuisance, at: 1)
        #expect(!more)
    }

    @Test("The budget comes back with time, so that a slow and steady sender is let be")
    func refills() {
        var flood = FloodGuard()
        // 40 a second for a minute.
        let isAllowed = (0..<1200).allSatisfy { tick in
            flood.allows(.freshReset, at: tick) && flood.allows(.freshReset, at: tick)
        }

        #expect(isAllowed)
    }

    @Test("One kind's budget is not another's")
    func keepsKindsApart() {
        var flood = FloodGuard()
        while flood.allows(.emptyFrame, at: 0) {}

        let other = flood.allows(.control, at: 0)
        #expect(other)
    }
}
