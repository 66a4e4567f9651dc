/// What went wrong, in one sentence for the person at the terminal.
struct Failure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
