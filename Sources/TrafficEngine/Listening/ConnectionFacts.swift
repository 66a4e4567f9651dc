package import MeshModel

/// What is known of a connection when its filter chain is chosen.
package struct ConnectionFacts: Sendable {
    /// Where the client wanted to go: the original destination, or the address that it was accepted on.
    package var destination: NetworkAddress
    package var source: IPAddress?
    /// The name in a TLS hello, in lower case.
    package var serverName: String?
    /// Whether a TLS hello was seen.
    package var isTLS: Bool
    /// What inspection found: `http/1.1`, `h2c`, or the ALPN list of a TLS hello, in its order.
    package var applicationProtocols: [String]

    package init(
        destination: NetworkAddress,
        source: IPAddress? = nil,
        serverName: String? = nil,
        isTLS: Bool = false,
        applicationProtocols: [String] = []
    ) {
        self.destination = destination
        self.source = source
        self.serverName = serverName
        self.isTLS = isTLS
        self.applicationProtocols = applicationProtocols
    }
}
