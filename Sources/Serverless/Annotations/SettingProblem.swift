/// A setting that cannot be used: which one, what it says, and what it may say.
package struct SettingProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The annotation's or the ConfigMap's key.
    package var name: String
    package var value: String
    package var expected: String

    package init(name: String, value: String, expected: String) {
        self.name = name
        self.value = value
        self.expected = expected
    }

    package var description: String { "\(self.name): \"\(self.value)\" is not allowed; expected \(self.expected)" }
}
