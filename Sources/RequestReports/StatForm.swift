internal import MeshModel
internal import ServerlessAPI
internal import SwiftProtobuf

/// How stat messages look in the frames of a WebSocket. Readers tell the forms apart by themselves.
package enum StatForm: String, Sendable, Hashable, CaseIterable {
    /// Knative since July 2020.
    case protobuf
    /// Knative 0.7 and 0.8: gob, with a key of two fields.
    case gob
    /// Knative up to 0.6: gob, with `namespace/name` as the key.
    case gobTextKey = "gob-text-key"
}

/// Why a frame is no stat message.
package struct StatFrameError: Error, Sendable, CustomStringConvertible {
    package var description: String
}

package enum StatFrame {
    /// Room for some thousand revisions; who has more to say sends several frames.
    package static let bytesMax = 1 << 20
    /// A message takes two bytes at least, and a hundred times as much when it has been read.
    package static let messagesMax = 10_000

    /// The first byte of every protobuf frame: field 1 of `WireStatMessages`. A gob begins with the length of its first
    /// definition, which is longer than ten bytes.
    private static let protobufTag: UInt8 = 0x0A

    /// All messages of a frame, in either form.
    package static func decode(_ bytes: [UInt8]) throws(StatFrameError) -> [StatMessage] {
        guard let first = bytes.first else { return [] }
        guard first == Self.protobufTag else {
            do throws(GobError) {
                return try GobStatCodec.decode(bytes)
            } catch {
                throw StatFrameError(description: "\(error)")
            }
        }
        guard bytes.count <= Self.bytesMax else {
            throw StatFrameError(description: "protobuf: more than \(Self.bytesMax) bytes")
        }
        guard Self.fieldCount(bytes) <= Self.messagesMax else {
            throw StatFrameError(description: "protobuf: more than \(Self.messagesMax) messages")
        }
        let frame: Metrics_WireStatMessages
        do {
            frame = try Metrics_WireStatMessages(serializedBytes: bytes)
        } catch {
            throw StatFrameError(description: "protobuf: \(error)")
        }
        var messages: [StatMessage] = []
        for message in frame.messages {
            guard !message.namespace.isEmpty, !message.name.isEmpty else {
                throw StatFrameError(description: "protobuf: a message without namespace or name of its revision")
            }
            messages.append(StatMessage(message))
        }
        return messages
    }

    /// How many fields a message has, without those in them. Counting ends where it is none, which the decoder tells.
    private static func fieldCount(_ bytes: [UInt8]) -> Int {
        var count = 0
        var rest = bytes[...]
        while let tag = Self.number(&rest) {
            count += 1
            switch tag & 7 {
            case 0: _ = Self.number(&rest)
            case 1: rest = rest.dropFirst(8)
            case 2:
                let length = Self.number(&rest) ?? 0
                rest = rest.dropFirst(Int(clamping: length))
            case 5: rest = rest.dropFirst(4)
            // Groups hold fields like any other.
            default: ()
            }
        }
        return count
    }

    /// `nil`: there is none.
    private static func number(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            number |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return number }
        }
        return nil
    }

    /// Frames that carry `messages`: as few as may be, or one for each where the form has no lists.
    package static func encode(_ messages: [StatMessage], as form: StatForm) -> [[UInt8]] {
        switch form {
        case .protobuf:
            return Self.split(messages[...])
        case .gob: return messages.map { GobStatCodec.encode($0, as: .namespacedName) }
        case .gobTextKey: return messages.map { GobStatCodec.encode($0, as: .textKey) }
        }
    }

    /// One frame, or if that were more than one may be, those of either half.
    private static func split(_ messages: ArraySlice<StatMessage>) -> [[UInt8]] {
        let half = messages.startIndex + messages.count / 2
        func halves() -> [[UInt8]] { Self.split(messages[..<half]) + Self.split(messages[half...]) }
        if messages.count > Self.messagesMax { return halves() }
        let frame = Metrics_WireStatMessages.with { $0.messages = messages.map(\.wire) }
        // Texts and numbers always serialise; nothing is required.
        let bytes: [UInt8] = (try? frame.serializedBytes()) ?? []
        return bytes.count > Self.bytesMax && messages.count > 1 ? halves() : [bytes]
    }
}

extension StatMessage {
    fileprivate init(_ wire: Metrics_WireStatMessage) {
        self.init(
            revision: .init(namespace: wire.namespace, name: wire.name),
            stat: Stat(
                podName: wire.stat.podName,
                averageConcurrentRequests: wire.stat.averageConcurrentRequests,
                averageProxiedConcurrentRequests: wire.stat.averageProxiedConcurrentRequests,
                requestCount: wire.stat.requestCount,
                proxiedRequestCount: wire.stat.proxiedRequestCount,
                processUptime: wire.stat.processUptime
            )
        )
    }

    fileprivate var wire: Metrics_WireStatMessage {
        .with { wire in
            wire.namespace = self.revision.namespace
            wire.name = self.revision.name
            wire.stat = .with {
                $0.podName = self.stat.podName
                $0.averageConcurrentRequests = self.stat.averageConcurrentRequests
                $0.averageProxiedConcurrentRequests = self.stat.averageProxiedConcurrentRequests
                $0.requestCount = self.stat.requestCount
                $0.proxiedRequestCount = self.stat.proxiedRequestCount
                $0.processUptime = self.stat.processUptime
            }
        }
    }
}
