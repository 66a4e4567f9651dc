internal import NIOCore

/// Looks at the first bytes of a client for the server name in a TLS hello, without keeping the other side from speaking
/// first: nothing is waited for, only what comes is held until it is known.
struct HelloWatch {
    enum OnBytes {
        /// The hello is not complete yet; what came is held.
        case hold
        /// All that came, and the name that it asks for; `nil`: it is no hello, or asks for none.
        case pass(ByteBuffer, serverName: String?)
        /// A hello so large that its name cannot be seen, and that no client sends.
        case tooLarge
    }

    private static let inspector = ProtocolInspector(inspectsHTTP: false, inspectsTLS: true)
    private var held = ByteBuffer()

    mutating func received(_ bytes: ByteBuffer) -> OnBytes {
        if self.held.readableBytes == 0 {
            self.held = bytes
        } else {
            var bytes = bytes
            self.held.writeBuffer(&bytes)
        }
        switch self.held.withUnsafeReadableBytes({ Self.inspector.inspect($0) }) {
        case .needsMore where self.held.readableBytes < ClientHello.bytesMax: return .hold
        case .needsMore, .helloTooLarge: return .tooLarge
        case .found(let finding): return .pass(self.takeHeld(), serverName: finding.serverName)
        }
    }

    /// What is held, when no more will come.
    mutating func takeHeld() -> ByteBuffer {
        let held = self.held
        self.held = ByteBuffer()
        return held
    }
}
