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
    /// Room for some ten thousand revisions of one activator.
    package static let bytesMax = 4 << 20

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

    /// Frames that carry `messages`: one for all of them, or one for each where the form has no lists.
    package static func encode(_ messages: [StatMessage], as form: StatForm) -> [[UInt8]] {
        switch form {
        case .protobuf:
            let frame = Metrics_WireStatMessages.with { $0.messages = messages.map(\.wire) }
            // Texts and numbers always serialise; nothing is required.
            return (try? [frame.serializedBytes()]) ?? []
        case .gob: return messages.map { GobStatCodec.encode($0, as: .namespacedName) }
        case .gobTextKey: return messages.map { GobStatCodec.encode($0, as: .textKey) }
        }
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
