internal import NIOCore
internal import NIOSSL

extension ClientTLSContext {
    /// Puts TLS into the pipeline of a channel that is not connected yet.
    ///
    /// - Parameters:
    ///   - channel: its pipeline is empty.
    ///   - host: the host that the connection is for; the hello and the certificate may have to name it.
    ///   - worker: keeps the deadline; `nil`: the channel's loop does.
    ///   - timeout: for the handshake.
    ///   - completion: called once; gives what takes the place of the handler that waits for the handshake.
    /// - Throws: if the library makes no connection of the context, or the channel has been closed.
    func secure(
        _ channel: any Channel,
        host: String?,
        worker: Worker?,
        timeout: Duration,
        _ completion: @escaping (HandshakeHandler.Outcome) -> HandshakeHandler.Successor?
    ) throws {
        let name = self.serverName(for: host)
        // RFC 6066 section 3: an address is no server name.
        let handler = try NIOSSLClientHandler(
            context: self.context,
            serverHostname: name.flatMap { DNSIdentity.isAddress($0) ? nil : $0 }
        )
        let handshake = HandshakeHandler(
            worker: worker,
            tls: handler,
            check: self.check,
            requiresCertificate: true,
            expectedName: name ?? host,
            timeout: timeout,
            completion: completion
        )
        try channel.pipeline.syncOperations.addHandlers([handler, handshake])
    }
}
