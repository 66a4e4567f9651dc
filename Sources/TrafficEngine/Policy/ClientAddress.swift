package import MeshModel

/// Who the client is, according to `x-forwarded-for`, where proxies in front are trusted.
package enum ClientAddress {
    /// Envoy's rules: at an edge the peer itself, or the n-th address from the right if n proxies are trusted; behind
    /// other proxies the last address, or the one n further left. What cannot be read gives the peer's address.
    ///
    /// - Parameters:
    ///   - request: has the header, or several of it.
    ///   - peer: the other end of the connection.
    ///   - trustedHops: proxies in front whose entries are believed (Envoy `xff_num_trusted_hops`).
    ///   - isEdge: the connection's peer is the client unless hops are trusted (Envoy `use_remote_address`).
    /// - Returns: the client's address; `nil` if not even the peer has one.
    package static func remote(
        _ request: RequestView,
        peer: IPAddress?,
        trustedHops: Int,
        isEdge: Bool
    ) -> IPAddress? {
        var skipped = isEdge ? trustedHops - 1 : trustedHops
        guard skipped >= 0 else { return peer }
        for field in request.headers.reversed() where request[field.name].equals(Self.name, ignoringCase: true) {
            let value = request[field.value]
            for entry in value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).reversed() {
                if skipped > 0 {
                    skipped -= 1
                    continue
                }
                let text = String(decoding: entry, as: UTF8.self)
                return IPAddress(String(text.drop { $0 == " " }.prefix { $0 != " " })) ?? peer
            }
        }
        return peer
    }

    private static let name = Array("x-forwarded-for".utf8)
}
