import ArgumentParser
import DNSProxy
import DNSWire
import Glibc
import Logging
import MeshModel
import NIOCore
import NIOPosix

/// Serves a name table alone: no cluster, no control plane, no root.
struct DNSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dns",
        abstract: "Serve the names of a file over DNS, and ask other servers for all else.",
        discussion: """
            The file is the JSON of the name table that the control plane sends to proxies:

              {"table": {
                "db.ns1.svc.cluster.local": {"ips": ["240.240.0.1"], "registry": "External"},
                "reviews.ns1.svc.cluster.local": {"ips": ["10.96.0.7"], "registry": "Kubernetes",
                                                  "shortname": "reviews", "namespace": "ns1"},
                "*.wild.test": {"ips": ["240.240.0.2", "2001:2::2"]}
              }}

            It is read again when it changes. While it has a mistake, what was read before is served, and a line \
            on standard error says where the mistake is; before there ever was a good one, every question is \
            answered with SERVFAIL. Names of the table are answered with all that is known of them: a name with \
            addresses of the other family only has no records (NODATA), it is never said to be missing.

            Answers come over UDP and TCP. The first line on standard output says where: with port 0 a free one is \
            taken. SIGTERM or SIGINT ends it with status 0.
            """
    )

    @Option(help: ArgumentHelp("The name table, in JSON.", valueName: "file"))
    var nameTable: String

    @Option(
        help: ArgumentHelp("Where to answer, UDP and TCP; port 0 takes a free one.", valueName: "address:port")
    )
    var listen = "127.0.0.1:15053"

    @Option(
        help: ArgumentHelp(
            "Its servers are asked for names that are not in the table, and its search list is used; followed when "
                + "it changes. (default: /etc/resolv.conf)",
            valueName: "file"
        )
    )
    var resolvConf: String?

    @Option(
        help: ArgumentHelp(
            "A server to ask instead of those of resolv.conf; may be repeated, asked in this order. Without a port: 53. "
                + "tls://ADDRESS[:PORT][#NAME] is asked over TLS (port 853), with a certificate for that name or the address.",
            valueName: "address:port"
        )
    )
    var upstream: [String] = []

    @Flag(help: "Ask all servers at once and take the first answer.")
    var parallel = false

    @Option(
        help: ArgumentHelp(
            "Authorities in PEM for servers asked over TLS; those of the system if not set.",
            valueName: "file"
        )
    )
    var roots: String?

    @Flag(help: "Write a line for each question.")
    var queryLog = false

    @Option(
        help: ArgumentHelp(
            "Where askers live: Services are then also known as NAME.NAMESPACE.svc and NAME.NAMESPACE, and those of "
                + "this namespace as NAME.",
            valueName: "namespace"
        )
    )
    var namespace: String?

    @Option(
        help: ArgumentHelp(
            "A name of the table with this domain appended is answered with an alias and the addresses at once; may be "
                + "repeated. (default: the search list of resolv.conf)",
            valueName: "domain"
        )
    )
    var search: [String] = []

    @OptionGroup var log: LogOptions

    func validate() throws {
        let hasPort = self.listen.contains("]:") || self.listen.count { $0 == ":" } == 1
        guard hasPort, let listen = DNSUpstream(self.listen), listen.tlsName == nil else {
            throw ValidationError("--listen \(self.listen) is not ADDRESS:PORT, such as 127.0.0.1:15053.")
        }
        for text in self.upstream where DNSUpstream(text).map({ $0.port == 0 }) ?? true {
            throw ValidationError("--upstream \(text) is not ADDRESS:PORT, such as 10.0.0.2:53 or [2001:db8::2]:53.")
        }
        for text in self.search where DNSName(text) == nil {
            throw ValidationError("--search \(text) is no domain name.")
        }
        if let namespace = self.namespace, DNSName(namespace)?.labelCount != 1 {
            throw ValidationError("--namespace \(namespace) is no name of a namespace.")
        }
    }

    func run() async throws {
        startLogging(self.log.level)
        // One loop serves all; nothing here blocks on the shared threads.
        NIOSingletons.groupLoopCountSuggestion = 1
        NIOSingletons.blockingPoolThreadCountSuggestion = 1
        guard let listen = DNSUpstream(self.listen) else { throw StartError("--listen \(self.listen) is no address") }
        let path = self.resolvConf ?? "/etc/resolv.conf"
        let file = ResolvConfWatch.read(path)
        if file == nil, self.resolvConf != nil { throw StartError("cannot read \(path): \(reason(errno))") }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let service = try NameTableService(
            options: NameTableService.Options(
                nameTable: self.nameTable,
                listen: listen,
                resolvConf: path,
                dns: DNSSettings(
                    upstreams: self.upstream.compactMap { DNSUpstream($0) },
                    isParallel: self.parallel,
                    roots: self.roots,
                    logsQueries: self.queryLog
                ),
                namespace: self.namespace,
                search: self.search
            ),
            resolver: file ?? ResolvConf(),
            eventLoop: group.next(),
            logger: Logger(label: "dns")
        )
        let stop = StopSignal()
        try await service.run(until: { await stop.wait() })
        // The process ends: what could fail here would be closed by the kernel.
        try? await group.shutdownGracefully()
    }
}

/// What an error number means.
func reason(_ number: Int32) -> String { String(cString: strerror(number)) }
