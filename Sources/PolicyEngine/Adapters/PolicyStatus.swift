/// An answer's status, with the numbers of gRPC.
package struct PolicyStatus: Error, Sendable, Hashable, CustomStringConvertible {
    package struct Code: Sendable, Hashable {
        package let number: Int32

        package init(_ number: Int32) { self.number = number }

        package static let ok = Code(0)
        package static let unknown = Code(2)
        package static let invalidArgument = Code(3)
        package static let notFound = Code(5)
        package static let permissionDenied = Code(7)
        package static let resourceExhausted = Code(8)
        package static let failedPrecondition = Code(9)
        package static let internalError = Code(13)
        package static let unavailable = Code(14)
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String = "") {
        self.code = code
        self.message = message
    }

    package static let ok = PolicyStatus(.ok)

    package var isOK: Bool { self.code == .ok }

    package var description: String { "\(self.code.number): \(self.message)" }
}
