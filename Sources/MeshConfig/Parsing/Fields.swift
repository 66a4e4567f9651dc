import IstioAPI
import KubernetesAPI
import MeshModel
import SwiftProtobuf

import struct Foundation.Data

typealias ProtoDuration = Google_Protobuf_Duration

/// Fields that several kinds have in common.
enum Fields {
    /// The `spec` of an object as a message.
    ///
    /// Fields that are newer than this program are ignored with a warning, unless `isStrict`: in what says who may come
    /// in, a condition that is ignored opens a door. A value that no enumeration has is an error everywhere: it would
    /// be read as the first one, such as no TLS.
    static func spec<M: Message>(
        _ type: M.Type,
        of object: KubernetesObject,
        _ findings: inout Findings,
        isStrict: Bool = false
    ) -> M? {
        let spec = Data((object.spec.isNull ? JSONValue.object([:]) : object.spec).serialize())
        do {
            do {
                return try IstioJSON.decode(type, from: spec)
            } catch JSONDecodingError.unknownField(let name) where !isStrict {
                let message = try IstioJSON.decode(type, from: spec, ignoringUnknownFields: true)
                findings.warning("spec", "has a field that is not known here, and that has no effect: `\(name)`")
                return message
            }
        } catch JSONDecodingError.unrecognizedEnumValue {
            findings.error("spec", "cannot be read: a word that stands for a choice is none of those there are")
            return nil
        } catch {
            findings.error("spec", "cannot be read: \(error)")
            return nil
        }
    }

    /// Who may see an object: `.` its own namespace, `*` everyone, `~` nobody, else names; nothing said is everyone.
    static func visibility(_ exportTo: [String], namespace: String) -> Visibility {
        if exportTo.isEmpty || exportTo.contains("*") { return .everyone }
        return .namespaces(Set(exportTo.filter { $0 != "~" }.map { $0 == "." ? namespace : $0 }))
    }

    /// A host as an object of `namespace` means it: a name without a dot is a service of its namespace.
    static func host(_ text: String, namespace: String, domain: String) -> HostName? {
        if text.isEmpty { return nil }
        return HostName(text.contains(".") || text == "*" ? text : "\(text).\(namespace).svc.\(domain)")
    }

    /// A duration that is set and not negative; zero stays zero.
    static func duration(
        _ value: Google_Protobuf_Duration,
        isSet: Bool,
        field: String,
        _ findings: inout Findings
    ) -> Duration? {
        guard isSet else { return nil }
        guard value.seconds >= 0, value.nanos >= 0 else {
            findings.error(field, "must not be negative")
            return nil
        }
        return Duration(
            secondsComponent: value.seconds,
            attosecondsComponent: Int64(value.nanos) * 1_000_000_000
        )
    }

    /// A duration longer than nothing; zero counts as not set.
    static func positiveDuration(
        _ value: Google_Protobuf_Duration,
        isSet: Bool,
        field: String,
        _ findings: inout Findings
    ) -> Duration? {
        self.duration(value, isSet: isSet, field: field, &findings).flatMap { $0 > .zero ? $0 : nil }
    }

    /// A port number of the wire, where 0 stands for "not said".
    static func port(_ number: UInt32, field: String, _ findings: inout Findings) -> Port? {
        if number == 0 { return nil }
        guard let port = Port(number) else {
            findings.error(field, "\(number) is no port: 1 to 65535")
            return nil
        }
        return port
    }

    /// The wire's empty text is "not said".
    static func text(_ text: String) -> String? { text.isEmpty ? nil : text }

    /// A token of RFC 9110 section 5.6.2.
    static func isHeaderName(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    static func blocks(_ texts: [String], field: String, _ findings: inout Findings) -> [CIDR] {
        texts.enumerated().compactMap { index, text in
            if let block = CIDR(text) { return block }
            findings.error("\(field)[\(index)]", "`\(text)` is neither an IP address nor a block like 10.0.0.0/8")
            return nil
        }
    }
}
