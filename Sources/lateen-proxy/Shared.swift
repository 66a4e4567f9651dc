import Synchronization

/// A value that a few tasks read and one writes, off the hot path.
final class Shared<Value: Sendable>: Sendable {
    private let state: Mutex<Value>

    init(_ value: Value) { self.state = Mutex(value) }

    var value: Value {
        get { self.state.withLock { $0 } }
        set { self.state.withLock { $0 = newValue } }
    }
}

/// One clear sentence for a person; the process ends with status 1.
struct StartError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
