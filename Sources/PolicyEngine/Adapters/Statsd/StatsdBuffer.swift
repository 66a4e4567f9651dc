/// Lines of metrics on their way to a statsd server, as few packets as possible. It knows no socket and no clock.
package struct StatsdBuffer: Sendable {
    /// Packets that wait; beyond, lines are lost.
    package static let packetsMax = 1000

    private let packetBytesMax: Int
    private var packets: [String] = []
    private var lines = ""

    /// - Parameter packetBytesMax: a line that is longer is refused.
    package init(packetBytesMax: Int) { self.packetBytesMax = packetBytesMax }

    package enum OnLine: Sendable, Hashable {
        case kept
        /// A packet is full.
        case packetReady
        case tooLong
        case queueFull
    }

    package mutating func add(_ line: String) -> OnLine {
        guard line.utf8.count <= self.packetBytesMax else { return .tooLong }
        guard self.lines.utf8.count + line.utf8.count + 1 > self.packetBytesMax, !self.lines.isEmpty else {
            self.lines += self.lines.isEmpty ? line : "\n" + line
            return .kept
        }
        guard self.packets.count < Self.packetsMax else { return .queueFull }
        self.packets.append(self.lines)
        self.lines = line
        return .packetReady
    }

    /// Takes the packets that are full; with `all` the rest, too.
    package mutating func take(all: Bool) -> [String] {
        defer { self.packets = [] }
        guard all, !self.lines.isEmpty else { return self.packets }
        defer { self.lines = "" }
        return self.packets + [self.lines]
    }
}
