internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Header changes of one message.
struct HeaderEditsBuilder {
    /// Names of fields, as they are in the messages.
    let fields: (add: String, remove: String)

    static let request = HeaderEditsBuilder(fields: ("request_headers_to_add", "request_headers_to_remove"))
    static let response = HeaderEditsBuilder(fields: ("response_headers_to_add", "response_headers_to_remove"))

    func build(
        add: [Envoy_Config_Core_V3_HeaderValueOption],
        remove: [String],
        at path: String,
        _ findings: inout Findings
    ) -> HeaderEdits {
        var edits = HeaderEdits()
        for (index, name) in remove.enumerated() {
            if let name = Self.name(name, at: "\(joined(path, self.fields.remove))[\(index)]", &findings) {
                edits.remove.append(name)
            }
        }
        for (index, option) in add.enumerated() {
            self.insert(option, at: "\(joined(path, self.fields.add))[\(index)]", &edits, &findings)
        }
        return edits
    }

    private func insert(
        _ option: Envoy_Config_Core_V3_HeaderValueOption,
        at path: String,
        _ edits: inout HeaderEdits,
        _ findings: inout Findings
    ) {
        guard let name = Self.name(option.header.key, at: "\(path).header.key", &findings),
            let value = Self.value(option.header, at: "\(path).header.value", &findings)
        else { return }
        let entry = HeaderEdits.Entry(name: name, value: value)
        // The older `append` field wins where it is set, as in Envoy.
        if option.hasAppend {
            if option.append.value { edits.add.append(entry) } else { edits.set.append(entry) }
            return
        }
        switch option.appendAction {
        case .appendIfExistsOrAdd: edits.add.append(entry)
        case .overwriteIfExistsOrAdd: edits.set.append(entry)
        case .addIfAbsent, .overwriteIfExists, .UNRECOGNIZED:
            findings.add(
                "\(path).append_action",
                "\(option.appendAction) is not supported; supported: APPEND_IF_EXISTS_OR_ADD, OVERWRITE_IF_EXISTS_OR_ADD"
            )
        }
    }

    /// Lower-case bytes of a header's name (RFC 9110 section 5.1: a token).
    private static func name(_ text: String, at path: String, _ findings: inout Findings) -> [UInt8]? {
        let bytes = Array(text.lowercased().utf8)
        let marks = Array("!#$%&'*+-.^_`|~:".utf8)
        let isToken = bytes.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || marks.contains($0) }
        guard !bytes.isEmpty, isToken, bytes.first != UInt8(ascii: ":"), bytes != Array("host".utf8) else {
            findings.add(path, "`\(text)` is no header name that may be changed")
            return nil
        }
        return bytes
    }

    /// A value without commands; `%%` stands for one percent sign.
    private static func value(
        _ header: Envoy_Config_Core_V3_HeaderValue,
        at path: String,
        _ findings: inout Findings
    ) -> [UInt8]? {
        let bytes = header.rawValue.isEmpty ? Array(header.value.utf8) : Array(header.rawValue)
        guard bytes.allSatisfy({ $0 >= 32 && $0 != 127 || $0 == 9 }) else {
            findings.add(path, "control characters are not allowed in a header")
            return nil
        }
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let isPercent = bytes[index] == UInt8(ascii: "%")
            if isPercent, index + 1 >= bytes.count || bytes[index + 1] != UInt8(ascii: "%") {
                findings.add(path, "format commands (`%…%`) are not supported in headers; a percent sign is `%%`")
                return nil
            }
            result.append(bytes[index])
            index += isPercent ? 2 : 1
        }
        return result
    }
}

extension HeaderEdits {
    /// These changes, then those of an outer message.
    func followed(by outer: HeaderEdits) -> HeaderEdits {
        if outer.isEmpty { return self }
        return HeaderEdits(remove: self.remove + outer.remove, set: self.set + outer.set, add: self.add + outer.add)
    }
}
