import DNSProxy
import NIOCore
import Testing

@Suite struct DNSFramesTests {
    @Test("A message is taken up to the limit and no further", arguments: [(0, true), (5, true), (6, false)])
    func limit(_ length: Int, _ isTaken: Bool) {
        var frames = DNSFrames(bytesMax: 5)
        frames.append(DNSFrames.framed(ByteBuffer(repeating: 1, count: length)))

        let message = frames.next()

        #expect((message?.readableBytes == length) == isTaken && frames.isBroken == !isTaken)
        frames.append(DNSFrames.framed(ByteBuffer(repeating: 1, count: 1)))
        #expect((frames.next() != nil) == isTaken)
    }

    @Test("What cannot be said with two bytes of length is not said")
    func longest() {
        #expect(DNSFrames.framed(ByteBuffer(repeating: 0, count: 65_535)).readableBytes == 65_537)
        #expect(DNSFrames.framed(ByteBuffer(repeating: 0, count: 65_536)).readableBytes == 0)
    }

    @Test("Half a message is known to be one")
    func inside() {
        var frames = DNSFrames(bytesMax: 5)
        frames.append(ByteBuffer(bytes: [0]))

        #expect(frames.next() == nil && frames.isInside)
        frames.append(ByteBuffer(bytes: [1, 9]))
        #expect(frames.next() == ByteBuffer(bytes: [9]) && !frames.isInside)
    }

    @Test("Messages that came at once are cut out where they are, and the place is used again afterwards")
    func cuts() {
        var frames = DNSFrames(bytesMax: 100)
        for _ in 0..<3 { frames.append(DNSFrames.framed(ByteBuffer(repeating: 1, count: 100))) }

        let messages = [frames.next(), frames.next(), frames.next()].compactMap { $0 }

        let places = messages.map { message in
            message.withUnsafeReadableBytes { Int(bitPattern: $0.baseAddress) }
        }
        #expect(places.count == 3 && places.map { $0 - (places.first ?? 0) } == [0, 102, 204])
        #expect(frames.next() == nil && !frames.isInside)
    }
}
