import IstioAPI
import KubernetesAPI
import MeshModel
import SwiftProtobuf

import struct Foundation.Data

/// Fields that several kinds have in common.
enum Fields {
    /// The `spec` of an object as a message; fields that are newer than this program are ignored.
    static func spec<M: Message>(_ type: M.Type, of object: KubernetesObject, _ findings: inout Findings) -> M? {
        let spec = object.spec.isNull ? JSONValue.object([:]) : object.spec
        do {
            return try IstioJSON.decode(type, from: Data(spec.serialize()), ignoringUnknownFields: true)
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

    static func blocks(_ texts: [String], field: String, _ findings: inout Findings) -> [CIDR] {
        texts.enumerated().compactMap { index, text in
            if let block = CIDR(text) { return block }
            findings.error("\(field)[\(index)]", "`\(text)` is neither an IP address nor a block like 10.0.0.0/8")
            return nil
        }
    }
}
