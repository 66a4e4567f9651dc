/// Why a request to the Kubernetes API failed.
package struct KubernetesError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The server said no; see ``KubernetesError/status``.
        case refused
        /// No connection, or it broke.
        case unreachable
        case timedOut
        /// The answer is no JSON, or not what was asked for.
        case malformedAnswer
        /// The answer exceeds the client's limit.
        case tooLarge
    }

    package var code: Code
    /// What the server said, if it said anything.
    package var status: Status?
    package var message: String
    /// `GET /api/v1/pods`
    package var request: String

    package init(code: Code, status: Status? = nil, message: String, request: String = "") {
        self.code = code
        self.status = status
        self.message = message
        self.request = request
    }

    package var isNotFound: Bool { self.status?.code == 404 }
    package var isConflict: Bool { self.status?.code == 409 && self.status?.reason != "AlreadyExists" }
    package var isAlreadyExists: Bool { self.status?.reason == "AlreadyExists" }
    /// The version asked for is no longer known: list again.
    package var isGone: Bool { self.status?.code == 410 || self.status?.reason == "Expired" }

    package var description: String { self.request.isEmpty ? self.message : "\(self.request): \(self.message)" }
}

/// The API's answer when there is no object to answer with.
package struct Status: Hashable, Sendable {
    package var code: Int
    /// `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Expired`, …
    package var reason: String
    package var message: String
    package var details: JSONValue

    package init(code: Int, reason: String, message: String, details: JSONValue = .null) {
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
    }

    /// Reads the wire form; `nil` if it is no `Status`.
    package init?(json: JSONValue) {
        guard json["kind"]?.string == "Status" else { return nil }
        self.init(
            code: json["code"]?.int ?? 0,
            reason: json["reason"]?.string ?? "",
            message: json["message"]?.string ?? "",
            details: json["details"] ?? .null
        )
    }

    package var json: JSONValue {
        var json: JSONValue = [
            "apiVersion": "v1", "kind": "Status", "metadata": [:], "status": "Failure",
            "message": .string(self.message), "reason": .string(self.reason), "code": JSONValue(self.code),
        ]
        if !self.details.isNull { json["details"] = self.details }
        return json
    }
}
