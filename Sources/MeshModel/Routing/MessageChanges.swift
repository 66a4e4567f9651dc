/// What somebody beside client and server may change of an HTTP message: the policy engine, a service that authorizes.
///
/// The engine accepts by these rules what objects say, and proxies obey by them, so that nothing is accepted that is
/// refused later.
package enum MessageChanges {
    /// Of answers in place of the service's. 1xx are no answers yet (RFC 9110 section 15.2).
    package static let statuses = 200...599

    /// Where a request goes, written like headers. Not every message and not everybody may change these.
    package static let routing: Set<String> = [":path", ":authority", ":method"]

    /// Framing is the proxy's business, and so is who the request is for.
    private static let forbidden: Set<String> = [
        "host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive",
        "proxy-connection",
    ]

    /// The name in lower case; `nil`: it is none, or one of a header that stays as it is (RFC 9110 section 5.1).
    package static func header(_ text: String) -> String? {
        let name = text.lowercased()
        let isToken = name.utf8.allSatisfy {
            (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || "!#$%&'*+-.^_`|~".utf8.contains($0)
        }
        return name.isEmpty || !isToken || Self.forbidden.contains(name) ? nil : name
    }

    /// Whether it can be a header's value: nothing in it ends the line (RFC 9110 section 5.5).
    package static func isValue(_ bytes: [UInt8]) -> Bool {
        bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }
    }
}
