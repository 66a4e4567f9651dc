package import KubernetesAPI

/// What is wrong with an object, and where in it.
package struct PolicyDiagnosis: Error, Sendable, Hashable, CustomStringConvertible {
    /// `rule istio-system/deny`
    package var object: String
    /// Such as `spec.match`; empty for the object as a whole.
    package var field: String
    package var message: String

    package init(object: String, field: String, message: String) {
        self.object = object
        self.field = field
        self.message = message
    }

    package init(_ object: KubernetesObject, field: String, message: String) {
        self.init(object: object.description, field: field, message: message)
    }

    package var description: String {
        "\(self.object)\(self.field.isEmpty ? "" : ": \(self.field)"): \(self.message)"
    }
}
