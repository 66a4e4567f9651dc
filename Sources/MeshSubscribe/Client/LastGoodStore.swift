internal import Foundation
internal import SwiftProtobuf
package import XDSAPI

/// The last good configuration on a disk, so that a proxy that starts while its control plane is away still works.
///
/// A file has one line of text (form, checksum, time, node) and then the resources as responses, each after its length.
/// Secrets are never in it.
package struct LastGoodStore: Sendable {
    package typealias Response = Envoy_Service_Discovery_V3_DiscoveryResponse

    /// Why a file is not used, or was not written.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    package struct Content: Sendable {
        package var responses: [Response]
        /// When it was stored; seconds since 1970.
        package var stored: Double

        package init(responses: [Response], stored: Double) {
            self.responses = responses
            self.stored = stored
        }
    }

    /// A larger configuration is not stored: a pod's volatile disk is its memory.
    private static let bytesMax = 64 << 20
    private static let form = "lateen-configuration-1"

    package let path: String
    /// Whose configuration: another's is not used.
    private let node: String

    /// - Parameters:
    ///   - directory: where the file goes.
    ///   - node: the proxy's name for the control plane.
    package init(directory: String, node: String) {
        self.path = directory + "/last-good-configuration"
        self.node = node
    }

    /// Whether a file can be put into `directory`, which is made if need be.
    package static func isUsable(_ directory: String) -> Bool {
        // What cannot be made is not writable, which is what is asked next.
        try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        return FileManager.default.isWritableFile(atPath: directory)
    }

    /// Replaces the file in one step.
    package func write(_ content: Content) throws {
        var body: [UInt8] = []
        for response in content.responses {
            let bytes: [UInt8] = try response.serializedBytes()
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: bytes.count).bigEndian) { body += $0 }
            body += bytes
            guard body.count <= Self.bytesMax else {
                throw Fault(description: "it has more than \(Self.bytesMax >> 20) MiB")
            }
        }
        let head = "\(Self.form) \(Self.checksum(body)) \(Int(content.stored)) \(self.node)\n"
        try (Data(head.utf8) + Data(body)).write(to: URL(fileURLWithPath: self.path), options: .atomic)
    }

    /// What is stored; `nil` if nothing is.
    ///
    /// - Throws: `Fault` if the file is damaged or somebody else's.
    package func read() throws -> Content? {
        guard FileManager.default.fileExists(atPath: self.path) else { return nil }
        let size = try FileManager.default.attributesOfItem(atPath: self.path)[.size] as? Int ?? 0
        guard size <= Self.bytesMax + 4096 else { throw Fault(description: "it is too large") }
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: self.path)))
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { throw Fault(description: "it is damaged") }
        let words = String(decoding: bytes[..<end], as: UTF8.self).split(separator: " ", maxSplits: 3)
        guard words.count == 4, words[0] == Self.form, let stored = Double(words[2]) else {
            throw Fault(description: "it has another form")
        }
        guard words[3] == self.node else { throw Fault(description: "it is of another proxy, \(words[3])") }
        let body = bytes[(end + 1)...]
        guard words[1] == Self.checksum(body) else { throw Fault(description: "its checksum is wrong") }
        return Content(responses: try Self.responses(body), stored: stored)
    }

    private static func responses(_ body: ArraySlice<UInt8>) throws -> [Response] {
        var rest = body
        var responses: [Response] = []
        while !rest.isEmpty {
            guard rest.count >= 4 else { throw Fault(description: "it is damaged") }
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard length <= rest.count else { throw Fault(description: "it is damaged") }
            responses.append(try Response(serializedBytes: Array(rest.prefix(length))))
            rest = rest.dropFirst(length)
        }
        return responses
    }

    /// FNV-1a, 64 bits: it tells a damaged file, not a forged one; who may write the file may write all of the pod.
    private static func checksum(_ bytes: some Sequence<UInt8>) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
