import MeshModel
import PolicyEngine

/// A vocabulary with every type in it.
let testVocabulary = AttributeVocabulary([
    "request.path": .string, "request.host": .string, "request.size": .int64, "request.headers": .stringMap,
    "request.time": .timestamp, "response.code": .int64, "response.duration": .duration, "source.ip": .ipAddress,
    "source.labels": .stringMap, "source.principal": .string, "load": .double, "is.safe": .bool, "is.known": .bool,
    "mail": .emailAddress, "name": .dnsName, "link": .uri, "context.reporter.type": .string,
])

extension AttributeBag {
    /// A bag of the test vocabulary.
    init(_ values: [String: AttributeValue]) {
        self.init(testVocabulary)
        for (name, value) in values {
            if let slot = testVocabulary.slot(of: name) { self[slot] = value }
        }
    }
}

/// What an ordinary request has; some attributes are missing on purpose.
let testRequest = AttributeBag([
    "request.path": .string("/api/v1/users"), "request.host": .string("api.example.com"), "request.size": .int64(120),
    "request.headers": .stringMap(["x-user": "ann", "content-type": "text/plain"]),
    "request.time": .timestamp(Timestamp("2020-01-01T00:00:00Z") ?? .epoch), "response.code": .int64(200),
    "response.duration": .duration(.milliseconds(1500)), "source.ip": .ipAddress(.v4(0x0a00_0001)),
    "load": .double(0.5), "is.safe": .bool(true), "mail": .emailAddress("ann@Example.com"),
    "name": .dnsName("WWW.example.com."), "link": .uri("HTTP://Example.com/a"),
])

extension Timestamp {
    static var epoch: Timestamp {
        guard let epoch = Timestamp(seconds: 0) else { preconditionFailure("1970 is a year of ours") }
        return epoch
    }
}

/// Compiles and evaluates; the result as `TYPE value`.
func evaluated(_ source: String, _ bag: AttributeBag = testRequest) throws -> String {
    let expression = try CompiledExpression(source, vocabulary: testVocabulary)
    var evaluation = Evaluation(bag)
    let value = try expression.evaluate(&evaluation)
    return "\(value.type) \(value)"
}
