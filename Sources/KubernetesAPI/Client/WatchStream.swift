import AsyncHTTPClient
package import NIOCore
import NIOHTTP1

/// One event of a watch.
package enum WatchEvent: Sendable, Hashable {
    case added(KubernetesObject)
    case modified(KubernetesObject)
    case deleted(KubernetesObject)
    /// Nothing changed up to this version.
    case bookmark(resourceVersion: String)
    /// The watch is over; `410`: list again.
    case failed(Status)

    /// Reads one line of the wire; `nil` for a type of event that we do not know.
    package init?(json: JSONValue) {
        let object = KubernetesObject(json: json["object"] ?? .null)
        switch json["type"]?.string {
        case "ADDED": self = .added(object)
        case "MODIFIED": self = .modified(object)
        case "DELETED": self = .deleted(object)
        case "BOOKMARK": self = .bookmark(resourceVersion: object.resourceVersion)
        case "ERROR":
            self = .failed(Status(json: object.json) ?? Status(code: 500, reason: "", message: object.json.text()))
        default: return nil
        }
    }
}

/// Cuts a stream of bytes into lines, wherever its chunks end.
package struct LineSplitter {
    package struct LineTooLong: Error {}

    private let bytesMax: Int
    private var pending = ByteBuffer()
    /// Bytes of `pending` that are known to hold no line end.
    private var searched = 0

    package init(bytesMax: Int) { self.bytesMax = bytesMax }

    package mutating func append(_ chunk: ByteBuffer) {
        var chunk = chunk
        if self.pending.readableBytes == 0 {
            self.pending = chunk
            self.searched = 0
        } else {
            self.pending.discardReadBytes()
            self.pending.writeBuffer(&chunk)
        }
    }

    /// The next whole line without its end; blank lines are left out.
    package mutating func next() throws -> ByteBuffer? {
        while true {
            let bytes = self.pending.readableBytesView
            guard let end = bytes.dropFirst(self.searched).firstIndex(of: UInt8(ascii: "\n")) else {
                self.searched = bytes.count
                guard self.searched <= self.bytesMax else { throw LineTooLong() }
                return nil
            }
            let line = self.pending.readSlice(length: end - bytes.startIndex)
            self.pending.moveReaderIndex(forwardBy: 1)
            self.searched = 0
            if let line, line.readableBytes > 0 { return line }
        }
    }
}

extension KubernetesClient {
    /// Follows the changes after `resourceVersion`, one event at a time, until the server ends the watch.
    ///
    /// The next event is not read before `onEvent` returns, so that a slow reader slows the server down.
    package func watch(
        _ type: ResourceType,
        namespace: String? = nil,
        labelSelector: String? = nil,
        fieldSelector: String? = nil,
        resourceVersion: String,
        onEvent: (WatchEvent) async throws -> Void
    ) async throws {
        let path = type.path(namespace: namespace)
        let name = "WATCH \(path)"
        let query = [
            ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", resourceVersion),
            ("timeoutSeconds", String(self.limits.watchTime.components.seconds)), ("labelSelector", labelSelector),
            ("fieldSelector", fieldSelector),
        ]
        let response = try await self.open(.GET, path, query: query)
        let bytesMax = self.limits.answerBytesMax
        do {
            guard response.status.code < 400 else {
                let bytes = try await response.body.collect(upTo: 1 << 20)
                _ = try Self.answer(response.status, bytes, request: name, bytesMax: 1 << 20)
                return
            }
            var lines = LineSplitter(bytesMax: bytesMax)
            for try await chunk in response.body {
                lines.append(chunk)
                while let line = try lines.next() {
                    let json = try JSONValue.parse(line.readableBytesView, bytesMax: bytesMax)
                    if let event = WatchEvent(json: json) { try await onEvent(event) }
                }
            }
        } catch is LineSplitter.LineTooLong {
            throw KubernetesError(code: .tooLarge, message: "an event exceeds \(bytesMax) bytes", request: name)
        } catch let error as JSONParseError {
            throw KubernetesError(code: .malformedAnswer, message: "an event is no JSON: \(error)", request: name)
        } catch {
            throw Self.explain(error, request: name)
        }
    }
}
