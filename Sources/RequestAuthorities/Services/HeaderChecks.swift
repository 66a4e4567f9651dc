internal import MeshModel
internal import TrafficEngine

/// Headers that a service wants changed, checked: it shall not be able to smuggle lines or requests.
enum HeaderChecks {
    /// `nil`: no header that may be changed (RFC 9110 sections 5.1 and 5.5).
    static func entry(_ name: String, _ value: some Sequence<UInt8>) -> HeaderEdits.Entry? {
        guard let name = Self.name(name) else { return nil }
        let value = Array(value)
        return MessageChanges.isValue(value) ? HeaderEdits.Entry(name: name, value: value) : nil
    }

    static func name(_ text: String) -> [UInt8]? { MessageChanges.header(text).map { Array($0.utf8) } }
}
