/// A mistake in a configuration: where it stands and what is wrong with it.
package struct Finding: Hashable, Sendable, CustomStringConvertible {
    /// `static_resources.listeners[0].filter_chains[0].filters[1]`, in the names of the messages.
    package var path: String
    /// What is wrong and what would be accepted.
    package var message: String

    package init(path: String, message: String) {
        self.path = path
        self.message = message
    }

    package var description: String { self.path.isEmpty ? self.message : "\(self.path): \(self.message)" }
}

/// Mistakes as they are found; building goes on after one, so that all are reported at once.
struct Findings {
    private(set) var list: [Finding] = []

    var isEmpty: Bool { self.list.isEmpty }

    mutating func add(_ path: String, _ message: String) {
        self.list.append(Finding(path: path, message: message))
    }

    mutating func append(_ other: some Sequence<Finding>) { self.list.append(contentsOf: other) }
}

/// `a.b`, or `b` at the top.
func joined(_ path: String, _ field: String) -> String { path.isEmpty ? field : "\(path).\(field)" }
