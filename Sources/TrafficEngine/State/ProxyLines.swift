/// Header lines that the proxy writes into messages by itself.
///
/// Where edits remove or set one of them, the proxy must not write its own: a line that is to be removed would still be
/// sent, and one that is set would be there twice.
package struct ProxyLines: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let forwardedFor = ProxyLines(rawValue: 1 << 0)
    package static let forwardedProto = ProxyLines(rawValue: 1 << 1)
    package static let externalAddress = ProxyLines(rawValue: 1 << 2)
    package static let requestID = ProxyLines(rawValue: 1 << 3)
    package static let originalPath = ProxyLines(rawValue: 1 << 4)
    package static let clientCertificate = ProxyLines(rawValue: 1 << 5)
    package static let serviceTime = ProxyLines(rawValue: 1 << 6)
    package static let server = ProxyLines(rawValue: 1 << 7)

    /// By the lines' names, in lower case.
    fileprivate static let named: [[UInt8]: ProxyLines] = [
        Array("x-forwarded-for".utf8): .forwardedFor,
        Array("x-forwarded-proto".utf8): .forwardedProto,
        Array("x-envoy-external-address".utf8): .externalAddress,
        Array("x-request-id".utf8): .requestID,
        Array("x-envoy-original-path".utf8): .originalPath,
        Array("x-forwarded-client-cert".utf8): .clientCertificate,
        Array("x-envoy-upstream-service-time".utf8): .serviceTime,
        Array("server".utf8): .server,
    ]
}

extension HeaderEdits {
    /// Which of the proxy's own lines these edits remove or set; what is added comes beside them.
    package var proxyLines: ProxyLines {
        var lines: ProxyLines = []
        for name in self.remove { lines.formUnion(ProxyLines.named[name] ?? []) }
        for entry in self.set { lines.formUnion(ProxyLines.named[entry.name] ?? []) }
        return lines
    }
}
