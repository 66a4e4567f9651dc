import ArgumentParser
import DNSProxy
import Foundation
import MeshModel
import ProxyRuntime

/// How names outside the mesh are asked for, and what is written about it.
struct DNSSettings: Sendable {
    /// Empty: the servers of `resolv.conf`.
    var upstreams: [DNSUpstream] = []
    var isParallel = false
    /// Authorities for servers that are asked over TLS; `nil`: those of the system.
    var roots: String?
    var logsQueries = false

    /// - Throws: if the file with authorities is of no use.
    func forwarder(
        _ file: ResolvConf,
        without own: Set<DNSUpstream>
    ) throws -> (upstreams: DNSUpstreams, secure: DNSForwarder.SecureChannel?) {
        var upstreams = DNSUpstreams(file, without: own, isParallel: self.isParallel)
        guard !self.upstreams.isEmpty else { return (upstreams, nil) }
        upstreams.servers = self.upstreams
        guard self.upstreams.contains(where: { $0.tlsName != nil }) else { return (upstreams, nil) }
        do {
            let tls = try NameServerTLS(roots: self.roots)
            return (upstreams, { try tls.secure($0, name: $1) })
        } catch {
            throw StartError(
                "the authorities for name servers in \(self.roots ?? "this system") cannot be used: \(error)"
            )
        }
    }
}

/// What a proxy is told about name servers on its command line.
struct DNSFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A server to ask for names outside the mesh, instead of those of resolv.conf; may be repeated, asked in this "
                + "order. tls://ADDRESS[:PORT][#NAME] is asked over TLS, with a certificate for that name or the address; the "
                + "environment's LATEEN_DNS_UPSTREAMS, separated by commas, if not set.",
            valueName: "address[:port]"
        )
    )
    var dnsUpstream: [String] = []

    @Flag(
        help:
            "Ask all servers at once and take the first answer; also if the environment's DNS_FORWARD_PARALLEL is true."
    )
    var dnsParallel = false

    @Option(
        help: ArgumentHelp(
            "Authorities in PEM for servers asked over TLS; those of the system if not set.",
            valueName: "file"
        )
    )
    var dnsRoots: String?

    @Flag(help: "Write a line for each question; also if the environment's LATEEN_DNS_QUERY_LOG is true.")
    var dnsQueryLog = false

    func validate() throws { _ = try Self.servers(self.dnsUpstream, "--dns-upstream") }

    func settings(_ environment: [String: String]) throws -> DNSSettings {
        var texts = self.dnsUpstream
        if texts.isEmpty, let list = environment["LATEEN_DNS_UPSTREAMS"] {
            texts = list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        return DNSSettings(
            upstreams: try Self.servers(texts, "LATEEN_DNS_UPSTREAMS"),
            isParallel: self.dnsParallel || environment["DNS_FORWARD_PARALLEL"] == "true",
            roots: self.dnsRoots,
            logsQueries: self.dnsQueryLog || environment["LATEEN_DNS_QUERY_LOG"] == "true"
        )
    }

    private static func servers(_ texts: [String], _ source: String) throws -> [DNSUpstream] {
        try texts.map { text in
            guard let server = DNSUpstream(text), server.port > 0 else {
                throw ValidationError(
                    "\(source) \(text) is not ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT or tls://ADDRESS[:PORT][#NAME]."
                )
            }
            return server
        }
    }
}
