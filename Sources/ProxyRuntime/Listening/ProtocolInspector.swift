/// Tells from a connection's first bytes what it speaks, so that a filter chain can be chosen.
package struct ProtocolInspector {
    /// What was found.
    package struct Finding: Hashable, Sendable {
        package var isTLS = false
        package var serverName: String?
        package var applicationProtocols: [String] = []

        package init(isTLS: Bool = false, serverName: String? = nil, applicationProtocols: [String] = []) {
            self.isTLS = isTLS
            self.serverName = serverName
            self.applicationProtocols = applicationProtocols
        }
    }

    package enum Inspection: Hashable, Sendable {
        case needsMore
        case found(Finding)
        /// A TLS hello that is larger than any real one.
        case helloTooLarge
    }

    /// A request line that is longer is not waited for.
    package static let lineBytesMax = 16 * 1024

    private let inspectsHTTP: Bool
    private let inspectsTLS: Bool

    package init(inspectsHTTP: Bool, inspectsTLS: Bool) {
        self.inspectsHTTP = inspectsHTTP
        self.inspectsTLS = inspectsTLS
    }

    /// Whether there is anything to look for.
    package var looks: Bool { self.inspectsHTTP || self.inspectsTLS }

    /// Looks at all bytes received so far.
    package func inspect(_ bytes: UnsafeRawBufferPointer) -> Inspection {
        guard !bytes.isEmpty else { return .needsMore }
        if self.inspectsTLS {
            switch ClientHello.parse(bytes) {
            case .hello(let hello):
                return .found(
                    Finding(
                        isTLS: true,
                        serverName: hello.serverName,
                        applicationProtocols: hello.applicationProtocols
                    )
                )
            case .needsMore: return bytes.count < ClientHello.bytesMax ? .needsMore : .helloTooLarge
            case .tooLarge: return .helloTooLarge
            case .other: ()
            }
        }
        return self.inspectsHTTP ? Self.inspectHTTP(bytes) : .found(Finding())
    }

    private static let preface: StaticBytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    private static func inspectHTTP(_ bytes: UnsafeRawBufferPointer) -> Inspection {
        let prefaceCount = min(24, bytes.count)
        if (0..<prefaceCount).allSatisfy({ bytes[$0] == Self.preface[$0] }) {
            // Four bytes are enough to know it from any method of HTTP/1 in use.
            return prefaceCount < 24 ? .needsMore : .found(Finding(applicationProtocols: ["h2c"]))
        }
        // RFC 9112 2.2: an empty line may come before the request line.
        var index = 0
        if bytes[0] == Bytes.carriageReturn {
            guard bytes.count > 2 else {
                return bytes.count == 1 || bytes[1] == Bytes.lineFeed ? .needsMore : .found(Finding())
            }
            guard bytes[1] == Bytes.lineFeed else { return .found(Finding()) }
            index = 2
        }
        let methodStart = index
        while index < bytes.count, Bytes.isToken(bytes[index]) { index += 1 }
        guard index - methodStart <= 32 else { return .found(Finding()) }
        guard index < bytes.count else { return .needsMore }
        guard index > methodStart, bytes[index] == Bytes.space else { return .found(Finding()) }
        index += 1
        let targetStart = index
        while index < bytes.count, bytes[index] > 0x20, bytes[index] != 0x7F { index += 1 }
        guard index < bytes.count else { return bytes.count < Self.lineBytesMax ? .needsMore : .found(Finding()) }
        guard index > targetStart, bytes[index] == Bytes.space else { return .found(Finding()) }
        let rest = bytes[(index + 1)...]
        let version: StaticBytes = "HTTP/1."
        let count = min(7, rest.count)
        guard (0..<count).allSatisfy({ rest[rest.startIndex + $0] == version[$0] }) else { return .found(Finding()) }
        guard rest.count > 7 else { return .needsMore }
        return .found(Finding(applicationProtocols: [rest[rest.startIndex + 7] == 48 ? "http/1.0" : "http/1.1"]))
    }
}
