package import Foundation
package import SwiftProtobuf

/// Reads messages of Istio's API from JSON as Istio does.
///
/// That is proto3 JSON (either spelling of a field, wrappers as plain values), and durations in Go's notation too.
package enum IstioJSON {
    /// Decodes a message.
    ///
    /// `ignoringUnknownFields` is for settings that may be newer than this program. Objects are decoded strictly: a
    /// misspelled field would otherwise be a rule that silently does nothing.
    package static func decode<M: SwiftProtobuf.Message>(
        _ type: M.Type,
        from json: Data,
        ignoringUnknownFields: Bool = false
    ) throws -> M {
        var options = JSONDecodingOptions()
        options.ignoreUnknownFields = ignoringUnknownFields
        let value = try JSONSerialization.jsonObject(with: json, options: [.fragmentsAllowed])
        let normalized = DurationFields.normalized(value, of: M.protoMessageName)
        let data = try JSONSerialization.data(withJSONObject: normalized, options: [.fragmentsAllowed])
        return try M(jsonUTF8Data: data, options: options)
    }
}
