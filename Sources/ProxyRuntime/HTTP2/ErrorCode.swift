/// Why a stream or connection is ended (RFC 9113 section 7).
package struct ErrorCode: Error, Hashable, Sendable {
    package let number: UInt32

    package init(number: UInt32) { self.number = number }

    package static let none = ErrorCode(number: 0)
    package static let `protocol` = ErrorCode(number: 1)
    package static let `internal` = ErrorCode(number: 2)
    package static let flowControl = ErrorCode(number: 3)
    package static let streamClosed = ErrorCode(number: 5)
    package static let frameSize = ErrorCode(number: 6)
    package static let refusedStream = ErrorCode(number: 7)
    package static let cancel = ErrorCode(number: 8)
    package static let compression = ErrorCode(number: 9)
    package static let enhanceYourCalm = ErrorCode(number: 11)
    package static let http11Required = ErrorCode(number: 13)
}
