import NIOCore
import ProxyRuntime
import Testing

@Suite struct ReceivingTests {
    @Test("A buffer whose reads never end where its content does stays small", arguments: [true, false])
    func letsGo(_ holdsSlices: Bool) {
        var input = ByteBuffer()
        var slices: [ByteBuffer] = []
        for number in 0..<2000 {
            var bytes = ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: 1000)
            input.receive(&bytes)
            // All but the last 7 bytes are of use now.
            let slice = input.readSlice(length: input.readableBytes - 7)
            if holdsSlices, let slice { slices = [slice] }
        }

        #expect(slices.count <= 1)
        #expect(input.readableBytes == 7)
        #expect(input.capacity < 10_000)
    }

    @Test("Nothing is lost on the way")
    func keepsBytes() {
        var input = ByteBuffer()
        var text = ""
        for part in ["one ", "two ", "three ", "four"] {
            var bytes = ByteBuffer(string: part)
            input.receive(&bytes)
            text += input.readString(length: input.readableBytes / 2) ?? ""
        }

        #expect(text + String(buffer: input) == "one two three four")
    }
}
