internal import Foundation

/// Settings by key.
package struct ConfigMap: Codable, Hashable, Sendable {
    package var metadata: ObjectMeta
    package var data: [String: String]
    /// Base64.
    package var binaryData: [String: String]
}

/// Settings that are nobody else's business.
package struct Secret: Codable, Hashable, Sendable {
    package var metadata: ObjectMeta
    package var type: String?
    /// Base64.
    package var data: [String: String]

    /// The content of a key; `nil` if it is missing or no base64.
    package func bytes(_ key: String) -> [UInt8]? {
        self.data[key].flatMap { Data(base64Encoded: $0) }.map { [UInt8]($0) }
    }
}

/// A room for names.
package struct Namespace: Codable, Hashable, Sendable {
    package struct Status: Codable, Hashable, Sendable {
        /// `Active` or `Terminating`.
        package var phase: String?
    }

    package var metadata: ObjectMeta
    package var status: Status
}

/// An identity that pods run under.
package struct ServiceAccount: Codable, Hashable, Sendable {
    package var metadata: ObjectMeta
    package var automountServiceAccountToken: Bool?
}

/// Something that happened to an object.
package struct Event: Codable, Hashable, Sendable {
    package struct Source: Codable, Hashable, Sendable {
        package var component: String?
        package var host: String?
    }

    package var metadata: ObjectMeta
    package var involvedObject: ObjectTarget
    package var reason: String?
    package var message: String?
    package var type: String?
    package var count: Int
    package var firstTimestamp: String?
    package var lastTimestamp: String?
    package var source: Source
}
