import KubernetesAPI
import NIOHTTP1

/// A request that was refused, as the `Status` object that Kubernetes clients understand.
package struct APIFailure: Error, Sendable {
    /// One offending field of an invalid object.
    package struct Cause: Sendable, Hashable {
        enum Reason: String, Sendable {
            case invalid = "FieldValueInvalid"
            case required = "FieldValueRequired"
            case notSupported = "FieldValueNotSupported"
            case duplicate = "FieldValueDuplicate"
            case forbidden = "FieldValueForbidden"
            case typeInvalid = "FieldValueTypeInvalid"
        }

        package var field: String
        var reason: Reason
        /// What follows the field's path, starting with the kind of fault.
        var message: String
    }

    package var code: Int
    var reason: String
    package var message: String
    var group = ""
    var kind = ""
    var name = ""
    var causes: [Cause] = []
    var retryAfterSeconds: Int?

    init(_ code: Int, _ reason: String, _ message: String) {
        self.code = code
        self.reason = reason
        self.message = message
    }

    private init(_ code: Int, _ reason: String, _ message: String, _ resource: GroupResource, _ name: String) {
        self.init(code, reason, message)
        self.group = resource.group
        self.kind = resource.resource
        self.name = name
    }

    static func badRequest(_ message: String) -> APIFailure { APIFailure(400, "BadRequest", message) }
    static func unauthorized() -> APIFailure { APIFailure(401, "Unauthorized", "Unauthorized") }
    static func gone(_ message: String) -> APIFailure { APIFailure(410, "Expired", message) }
    static func internalError(_ message: String) -> APIFailure {
        APIFailure(500, "InternalError", "Internal error occurred: \(message)")
    }
    static func pathNotFound() -> APIFailure {
        APIFailure(404, "NotFound", "the server could not find the requested resource")
    }
    static func methodNotAllowed() -> APIFailure {
        APIFailure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    static func notFound(_ resource: GroupResource, _ name: String) -> APIFailure {
        APIFailure(404, "NotFound", "\(resource) \"\(name)\" not found", resource, name)
    }
    static func alreadyExists(_ resource: GroupResource, _ name: String) -> APIFailure {
        APIFailure(409, "AlreadyExists", "\(resource) \"\(name)\" already exists", resource, name)
    }
    static func forbidden(_ resource: GroupResource, _ name: String, _ why: String) -> APIFailure {
        let quoted = name.isEmpty ? "" : " \"\(name)\""
        return APIFailure(403, "Forbidden", "\(resource)\(quoted) is forbidden: \(why)", resource, name)
    }
    static func conflict(_ resource: GroupResource, _ name: String, _ why: String? = nil) -> APIFailure {
        let why =
            why
            ?? "the object has been modified; please apply your changes to the latest version and try again"
        return APIFailure(
            409,
            "Conflict",
            "Operation cannot be fulfilled on \(resource) \"\(name)\": \(why)",
            resource,
            name
        )
    }
    static func invalid(kind: String, group: String, name: String, _ causes: [Cause]) -> APIFailure {
        let faults = causes.map { "\($0.field): \($0.message)" }
        let list = faults.count == 1 ? faults[0] : "[\(faults.joined(separator: ", "))]"
        let qualified = group.isEmpty ? kind : "\(kind).\(group)"
        var failure = APIFailure(422, "Invalid", "\(qualified) \"\(name)\" is invalid: \(list)")
        failure.kind = kind
        failure.group = group
        failure.name = name
        failure.causes = causes
        return failure
    }

    var status: JSONValue {
        var details: [String: JSONValue] = [:]
        if !self.name.isEmpty { details["name"] = .string(self.name) }
        if !self.group.isEmpty { details["group"] = .string(self.group) }
        if !self.kind.isEmpty { details["kind"] = .string(self.kind) }
        if let seconds = self.retryAfterSeconds { details["retryAfterSeconds"] = .integer(Int64(seconds)) }
        if !self.causes.isEmpty {
            details["causes"] = .array(
                self.causes.map {
                    .object([
                        "field": .string($0.field), "reason": .string($0.reason.rawValue),
                        "message": .string($0.message),
                    ])
                }
            )
        }
        var status: [String: JSONValue] = [
            "kind": "Status", "apiVersion": "v1", "metadata": .object([:]), "status": "Failure",
            "message": .string(self.message), "reason": .string(self.reason), "code": .integer(Int64(self.code)),
        ]
        if !details.isEmpty { status["details"] = .object(details) }
        return .object(status)
    }
}

extension APIFailure.Cause {
    static func invalid(_ field: String, _ value: JSONValue, _ why: String) -> Self {
        Self(field: field, reason: .invalid, message: "Invalid value: \(value.shortText): \(why)")
    }
    static func required(_ field: String, _ why: String = "") -> Self {
        Self(field: field, reason: .required, message: why.isEmpty ? "Required value" : "Required value: \(why)")
    }
    static func forbidden(_ field: String, _ why: String) -> Self {
        Self(field: field, reason: .forbidden, message: "Forbidden: \(why)")
    }
    static func duplicate(_ field: String, _ value: JSONValue) -> Self {
        Self(field: field, reason: .duplicate, message: "Duplicate value: \(value.shortText)")
    }
    static func unsupported(_ field: String, _ value: JSONValue, _ choices: [String]) -> Self {
        let list = choices.map { "\"\($0)\"" }.joined(separator: ", ")
        return Self(
            field: field,
            reason: .notSupported,
            message: "Unsupported value: \(value.shortText): supported values: \(list)"
        )
    }
}
