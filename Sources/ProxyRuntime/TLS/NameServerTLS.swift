package import NIOCore
internal import NIOSSL

/// TLS to name servers (RFC 7858): nothing of the mesh, only a server with a certificate of somebody's.
package struct NameServerTLS: Sendable {
    private let context: NIOSSLContext

    /// - Parameter roots: a file in PEM with the authorities that are trusted; `nil`: those of the system.
    /// - Throws: if the file cannot be read, or holds nothing of use.
    package init(roots: String?) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        configuration.applicationProtocols = ["dot"]
        if let roots { configuration.trustRoots = .file(roots) }
        self.context = try NIOSSLContext(configuration: configuration)
    }

    /// Puts TLS into a channel to a server whose certificate must be for this name or for the address that was dialled.
    package func secure(_ channel: any Channel, name: String) throws {
        // An address has no place in a hello; without a name the certificate is compared with the peer's address.
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil  // the error says that it is none
        try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: self.context, serverHostname: isAddress ? nil : name)
        )
    }
}
