/// One instance for one request: what a handler gets.
package struct InstanceData: Sendable, Hashable {
    /// Name and namespace of the object that it was made by.
    package var name: String
    package var namespace: String
    package var template: String
    /// By the field's path: `value`, `subject.user`. A field without an expression is absent.
    package var values: [String: AttributeValue] = [:]
    /// Maps by the field's path: `dimensions`, `subject.properties`.
    package var maps: [String: [String: AttributeValue]] = [:]
    /// For adapters outside: the InstanceMsg; then there is nothing in `values` and `maps`.
    package var encoded: [UInt8] = []

    package init(name: String, namespace: String, template: String) {
        self.name = name
        self.namespace = namespace
        self.template = template
    }

    /// A STRING field; empty if it is absent.
    package func text(_ path: String) -> String {
        if case .string(let text)? = self.values[path] { text } else { "" }
    }
}
