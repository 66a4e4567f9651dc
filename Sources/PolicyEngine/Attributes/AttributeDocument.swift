package import KubernetesAPI
internal import MeshModel

/// Attributes as people write them down: a JSON object from names to values.
///
/// INT64 is a number or its digits, DURATION `"1.5s"`, TIMESTAMP RFC 3339, IP_ADDRESS its text, STRING_MAP an object of
/// strings. Objects may stand for the parts of a name: `{"request": {"path": "/"}}` is `{"request.path": "/"}`.
package struct AttributeDocument: Sendable {
    /// Why a document is not usable.
    package struct Mistake: Error, Sendable, Hashable, CustomStringConvertible {
        package var description: String
    }

    package private(set) var bag: AttributeBag
    /// Names that no manifest defines; expressions cannot name them.
    package private(set) var unknown: [String] = []
    private let vocabulary: AttributeVocabulary

    package init(_ document: JSONValue, vocabulary: AttributeVocabulary) throws(Mistake) {
        self.bag = AttributeBag(vocabulary)
        self.vocabulary = vocabulary
        guard case .object(let members) = document else {
            throw Mistake(description: "the attributes are a \(document.typeName), not an object from names to values")
        }
        try self.add(members, below: "")
    }

    private mutating func add(_ members: [String: JSONValue], below prefix: String) throws(Mistake) {
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            let name = prefix + key
            if let slot = self.vocabulary.slot(of: name) {
                // A null is an attribute that is absent.
                if value.isNull { continue }
                guard let type = self.vocabulary.type(of: name), let read = Self.value(value, type) else {
                    throw Mistake(description: Self.complaint(name, value, self.vocabulary.type(of: name)))
                }
                self.bag[slot] = read
            } else if case .object(let members) = value {
                try self.add(members, below: name + ".")
            } else {
                self.unknown.append(name)
            }
        }
    }

    private static func complaint(_ name: String, _ value: JSONValue, _ type: ValueType?) -> String {
        let form =
            switch type {
            case .duration: " such as \"1.5s\""
            case .timestamp: " such as \"2015-01-02T15:04:35Z\""
            case .ipAddress: " such as \"10.0.0.1\""
            case .stringMap: ", an object of strings"
            case .string, .int64, .double, .bool, .emailAddress, .dnsName, .uri, nil: ""
            }
        let text = value.text(pretty: false)
        let shown = text.utf8.count <= 80 ? text : "a \(value.typeName)"
        return "`\(name)` needs \(type.map(\.rawValue) ?? "another type")\(form), found \(shown)"
    }

    private static func value(_ value: JSONValue, _ type: ValueType) -> AttributeValue? {
        switch type {
        case .string: value.string.map(AttributeValue.string)
        case .emailAddress: value.string.map(AttributeValue.emailAddress)
        case .dnsName: value.string.map(AttributeValue.dnsName)
        case .uri: value.string.map(AttributeValue.uri)
        case .bool: value.bool.map(AttributeValue.bool)
        case .int64: (value.string.flatMap { Int64($0) } ?? value.int.map(Int64.init)).map(AttributeValue.int64)
        case .double: (value.string.flatMap { Double($0) } ?? value.double).map(AttributeValue.double)
        case .duration: value.string.flatMap(DurationText.parse).map(AttributeValue.duration)
        case .timestamp: value.string.flatMap { Timestamp($0) }.map(AttributeValue.timestamp)
        case .ipAddress: value.string.flatMap { IPAddress($0) }.map(AttributeValue.address)
        case .stringMap: self.map(value)
        }
    }

    private static func map(_ value: JSONValue) -> AttributeValue? {
        guard let members = value.object, let strings = value.stringMap, strings.count == members.count else {
            return nil
        }
        return .stringMap(strings)
    }
}
