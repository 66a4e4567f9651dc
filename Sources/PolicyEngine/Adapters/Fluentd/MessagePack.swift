package import NIOCore

/// The part of MessagePack that the Forward protocol needs.
package enum MessagePack: Sendable, Hashable {
    case bool(Bool)
    case number(Int64)
    case double(Double)
    case text(String)
    /// The protocol's own type of moment, with nanoseconds.
    case time(seconds: UInt32, nanoseconds: UInt32)
    case list([MessagePack])
    /// In this order.
    case map([(key: String, value: MessagePack)])

    package static func == (left: MessagePack, right: MessagePack) -> Bool { left.bytes == right.bytes }
    package func hash(into hasher: inout Hasher) { hasher.combine(self.bytes) }

    package var bytes: ByteBuffer {
        var buffer = ByteBuffer()
        self.write(to: &buffer)
        return buffer
    }

    package func write(to buffer: inout ByteBuffer) {
        switch self {
        case .bool(let truth): buffer.writeInteger(truth ? 0xc3 : 0xc2, as: UInt8.self)
        case .number(let number):
            if (0...127).contains(number) {
                buffer.writeInteger(UInt8(truncatingIfNeeded: number))
            } else {
                buffer.writeInteger(0xd3, as: UInt8.self)
                buffer.writeInteger(number)
            }
        case .double(let number):
            buffer.writeInteger(0xcb, as: UInt8.self)
            buffer.writeInteger(number.bitPattern)
        case .text(let text):
            Self.head(text.utf8.count, short: (0xa0, 31), (0xd9, 0xda, 0xdb), to: &buffer)
            buffer.writeString(text)
        case .time(let seconds, let nanoseconds):
            buffer.writeInteger(0xd700, as: UInt16.self)
            buffer.writeInteger(seconds)
            buffer.writeInteger(nanoseconds)
        case .list(let elements):
            Self.listHead(elements.count, to: &buffer)
            for element in elements { element.write(to: &buffer) }
        case .map(let members):
            Self.head(members.count, short: (0x80, 15), (nil, 0xde, 0xdf), to: &buffer)
            for (key, value) in members {
                MessagePack.text(key).write(to: &buffer)
                value.write(to: &buffer)
            }
        }
    }

    /// What stands in front of so many elements, for lists whose elements are bytes already.
    package static func listHead(_ count: Int, to buffer: inout ByteBuffer) {
        Self.head(count, short: (0x90, 15), (nil, 0xdc, 0xdd), to: &buffer)
    }

    /// The shortest form of a length; `long` are the markers of 1, 2 and 4 bytes.
    private static func head(
        _ count: Int,
        short: (marker: UInt8, max: Int),
        _ long: (UInt8?, UInt8, UInt8),
        to buffer: inout ByteBuffer
    ) {
        if count <= short.max {
            buffer.writeInteger(short.marker | UInt8(truncatingIfNeeded: count))
        } else if count <= 0xff, let marker = long.0 {
            buffer.writeInteger(marker)
            buffer.writeInteger(UInt8(truncatingIfNeeded: count))
        } else if count <= 0xffff {
            buffer.writeInteger(long.1)
            buffer.writeInteger(UInt16(truncatingIfNeeded: count))
        } else {
            buffer.writeInteger(long.2)
            buffer.writeInteger(UInt32(clamping: count))
        }
    }
}
