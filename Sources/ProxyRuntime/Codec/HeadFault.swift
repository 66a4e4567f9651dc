/// What is wrong with a message's head or body framing; such a message is never forwarded.
package enum HeadFault: UInt8, Error, Hashable, Sendable, CaseIterable {
    case badStartLine
    case badMethod
    case badTarget
    case badVersion
    case versionUnsupported
    case badStatus
    case leadingWhitespace
    case folded
    case emptyName
    case badNameByte
    case spaceBeforeColon
    case missingColon
    case badValueByte
    case bareCR
    case bareLF
    case badLength
    case repeatedLength
    case lengthAndEncoding
    case unknownEncoding
    case repeatedEncoding
    case encodingInOldVersion
    case missingHost
    case repeatedHost
    case badHost
    case tooLarge
    case tooManyFields
    case badChunkSize
    case badChunkExtension
    case badChunkEnd
    case badTrailer

    /// What a client is told and a log says.
    package var text: StaticString {
        switch self {
        case .badStartLine: "malformed start line"
        case .badMethod: "invalid method"
        case .badTarget: "invalid request target"
        case .badVersion: "malformed HTTP version"
        case .versionUnsupported: "HTTP version not supported"
        case .badStatus: "invalid status code"
        case .leadingWhitespace: "whitespace before the first header"
        case .folded: "folded header line"
        case .emptyName: "empty header name"
        case .badNameByte: "invalid byte in a header name"
        case .spaceBeforeColon: "space before the colon of a header"
        case .missingColon: "header line without a colon"
        case .badValueByte: "control byte in a header value"
        case .bareCR: "carriage return without line feed"
        case .bareLF: "line feed without carriage return"
        case .badLength: "invalid content-length"
        case .repeatedLength: "repeated content-length"
        case .lengthAndEncoding: "content-length together with transfer-encoding"
        case .unknownEncoding: "unsupported transfer-encoding"
        case .repeatedEncoding: "repeated transfer-encoding"
        case .encodingInOldVersion: "transfer-encoding in HTTP/1.0"
        case .missingHost: "missing host"
        case .repeatedHost: "repeated host"
        case .badHost: "invalid host"
        case .tooLarge: "head too large"
        case .tooManyFields: "too many headers"
        case .badChunkSize: "invalid chunk size"
        case .badChunkExtension: "invalid chunk extension"
        case .badChunkEnd: "chunk not ended by CRLF"
        case .badTrailer: "invalid trailer"
        }
    }

    /// The status that a client gets for it.
    package var status: Int {
        switch self {
        case .tooLarge, .tooManyFields: 431
        case .versionUnsupported: 505
        case .unknownEncoding: 501
        case .badStartLine, .badMethod, .badTarget, .badVersion, .badStatus, .leadingWhitespace, .folded, .emptyName,
            .badNameByte, .spaceBeforeColon, .missingColon, .badValueByte, .bareCR, .bareLF, .badLength,
            .repeatedLength, .lengthAndEncoding, .repeatedEncoding, .encodingInOldVersion, .missingHost,
            .repeatedHost, .badHost, .badChunkSize, .badChunkExtension, .badChunkEnd, .badTrailer:
            400
        }
    }
}

/// How far a scan came.
package enum ScanProgress: Hashable, Sendable {
    case needsMore
    case complete
    case failed(HeadFault)
}
