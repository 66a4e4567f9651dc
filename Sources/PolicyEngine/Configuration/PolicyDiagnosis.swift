package import KubernetesAPI

/// What is wrong with an object, and where in it.
package struct PolicyDiagnosis: Error, Sendable, Hashable, CustomStringConvertible {
    /// `rule istio-system/deny`
    package var object: String
    /// Such as `spec.match`; empty for the object as a whole.
    package var field: String
    package var message: String
    package var cause: Cause

    /// What would mend it.
    package enum Cause: Sendable, Hashable {
        /// A change of the object itself.
        case object
        /// Another object that is not there yet, or says something else; or a file in the engine's pod.
        case others
    }

    package init(object: String, field: String, message: String, cause: Cause = .object) {
        self.object = object
        self.field = field
        self.message = message
        self.cause = cause
    }

    package init(_ object: KubernetesObject, field: String, message: String, cause: Cause = .object) {
        self.init(object: object.description, field: field, message: message, cause: cause)
    }

    package var description: String {
        "\(self.object)\(self.field.isEmpty ? "" : ": \(self.field)"): \(self.message)"
    }
}
