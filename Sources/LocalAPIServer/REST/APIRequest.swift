import Foundation
import KubernetesAPI
import NIOCore
import NIOHTTP1

/// Who sent a request.
struct Identity: Sendable, Hashable {
    var name: String
    var groups: [String]

    static let authenticated = "system:authenticated"
    private static let accounts = "system:serviceaccount"

    static let anonymous = Identity(name: "system:anonymous", groups: ["system:unauthenticated"])
    var isAnonymous: Bool { self.name == Self.anonymous.name }

    static func serviceAccount(_ name: String, namespace: String) -> Identity {
        Identity(
            name: "\(Self.accounts):\(namespace):\(name)",
            groups: ["\(Self.accounts)s", "\(Self.accounts)s:\(namespace)", Self.authenticated]
        )
    }

    /// The account behind the name of a user, if it is one.
    static func account(_ user: String) -> (namespace: String, name: String)? {
        let parts = user.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, user.hasPrefix(Self.accounts + ":") else { return nil }
        return (String(parts[2]), String(parts[3]))
    }
}

/// A request with its address taken apart.
struct APIRequest: Sendable {
    var method: HTTPMethod
    /// Percent-decoded parts of the path.
    var path: [String]
    var query: [String: [String]]
    var headers: HTTPHeaders
    var body: ByteBuffer
    var identity: Identity

    init(head: HTTPRequestHead, body: ByteBuffer, identity: Identity) throws {
        self.method = head.method
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var path: [String] = []
        for part in parts[0].split(separator: "/") {
            guard let decoded = part.removingPercentEncoding else {
                throw APIFailure.badRequest("the request's path is not percent-encoded UTF-8")
            }
            path.append(decoded)
        }
        self.path = path
        self.query = parts.count > 1 ? try Self.parse(query: parts[1]) : [:]
        self.headers = head.headers
        self.body = body
        self.identity = identity
    }

    private static func parse(query: Substring) throws -> [String: [String]] {
        var fields: [String: [String]] = [:]
        for field in query.split(separator: "&") {
            let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let decoded = pair.map { $0.replacing("+", with: " ").removingPercentEncoding }
            guard let name = decoded[0], let value = pair.count > 1 ? decoded[1] : "" else {
                throw APIFailure.badRequest("the request's query is not percent-encoded UTF-8")
            }
            fields[name, default: []].append(value)
        }
        return fields
    }

    func parameter(_ name: String) -> String? { self.query[name]?.first }

    func flag(_ name: String) -> Bool {
        switch self.parameter(name) {
        case "", "1", "t", "T", "true", "True", "TRUE": true
        default: false
        }
    }

    func integer(_ name: String) throws -> Int? {
        guard let text = self.parameter(name), !text.isEmpty else { return nil }
        guard let value = Int(text) else {
            throw APIFailure.badRequest("query parameter \(name) must be a whole number, not \"\(text)\"")
        }
        return value
    }

    var isDryRun: Bool { self.query["dryRun"]?.contains("All") ?? false }

    /// Media type of the body without parameters.
    var contentType: String {
        let text = self.headers.first(name: "content-type") ?? "application/json"
        return (text.split(separator: ";").first ?? "").trimmingCharacters(in: .whitespaces).lowercased()
    }

    /// Media types that the client takes, with their parameters, in its order.
    var accepted: [(type: String, parameters: [String: String])] {
        self.headers[canonicalForm: "accept"].map { entry in
            let parts = entry.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
            var parameters: [String: String] = [:]
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { parameters[String(pair[0])] = String(pair[1]) }
            }
            return (parts.first ?? "", parameters)
        }
    }

    /// The body as a document; YAML is accepted where JSON is.
    func document() throws -> JSONValue {
        guard self.body.readableBytes > 0 else { throw APIFailure.badRequest("the request has no body") }
        if self.contentType.hasSuffix("yaml") {
            return try Self.yaml(self.body)
        }
        if self.contentType.hasSuffix("protobuf") { return try ProtobufBody.parse(self.body) }
        do { return try JSONValue.parse(self.body.readableBytesView) } catch {
            throw APIFailure.badRequest("the body of the request is not JSON: \(error)")
        }
    }

    private static func yaml(_ body: ByteBuffer) throws -> JSONValue {
        do { return try YAML.parse(String(buffer: body), file: "request body") } catch {
            throw APIFailure.badRequest("the body of the request is not YAML: \(error)")
        }
    }
}
