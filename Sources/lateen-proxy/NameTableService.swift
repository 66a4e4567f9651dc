import DNSProxy
import DNSWire
import Glibc
import Logging
import MeshModel
import NIOCore

/// A DNS server whose table is a file.
struct NameTableService: Sendable {
    struct Options: Sendable {
        var nameTable: String
        var listen: DNSUpstream
        var resolvConf: String
        /// How others are asked; without servers: those of `resolvConf`.
        var dns: DNSSettings
        var namespace: String?
        /// Empty: that of `resolvConf`.
        var search: [String]
    }

    /// How often files are looked at.
    private static let interval = Duration.milliseconds(100)

    private let options: Options
    private let forwarder: DNSForwarder
    private let server: DNSServer
    private let watch: ResolvConfWatch?
    private let logger: Logger

    init(options: Options, resolver: ResolvConf, eventLoop: any EventLoop, logger: Logger) throws {
        self.options = options
        self.logger = logger
        let (upstreams, secure) = try options.dns.forwarder(resolver, without: [options.listen])
        self.forwarder = DNSForwarder(eventLoop: eventLoop, upstreams: upstreams, secure: secure)
        self.server = DNSServer(
            options: DNSServer.Options(addresses: [options.listen.address], port: options.listen.port),
            // Nobody knows yet which names the file has: any name may be one of them.
            table: .notReady(clusterDomain: "."),
            forwarder: self.forwarder,
            queryLog: options.dns.logsQueries ? DNSQueryLog.lines(to: logger) : nil,
            logger: logger
        )
        self.watch =
            options.dns.upstreams.isEmpty
            ? ResolvConfWatch(path: options.resolvConf) { [forwarder] in
                let isParallel = options.dns.isParallel
                await forwarder.follow($0, without: [options.listen], isParallel: isParallel, logger: logger)
            } : nil
    }

    /// Serves until `end` returns.
    func run(until end: () async -> String) async throws {
        var follower = Follower(self.options, self.server, self.logger)
        await follower.look()
        let addresses = try await self.server.start()
        for address in addresses {
            let host = address.ipAddress ?? ""
            print("answering on \(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0), UDP and TCP")
        }
        // Somebody may be waiting for this line at the end of a pipe.
        fflush(nil)
        ResidentMemory.releaseStartPages()
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { [follower] in
                var follower = follower
                while !Task.isCancelled {
                    // Cancellation ends the loop.
                    try? await Task.sleep(for: Self.interval)
                    await follower.look()
                }
            }
            if let watch = self.watch { tasks.addTask { await watch.run() } }
            let reason = await end()
            self.logger.info("ending", metadata: ["reason": "\(reason)"])
            await self.server.stop()
            await self.forwarder.stop()
            tasks.cancelAll()
        }
    }

    /// Keeps the server's table that of the file.
    private struct Follower: Sendable {
        let options: Options
        let server: DNSServer
        let logger: Logger
        private var file = NameTableFile()
        /// What is served, once there was a good file.
        private var table: DNSTable?
        private var search: [String]?
        private var last: FileStamp?
        private var lastResolver: FileStamp?
        /// A mistake that was seen and not reported: the file may have been half written.
        private var complaint: String?

        init(_ options: Options, _ server: DNSServer, _ logger: Logger) {
            self.options = options
            self.server = server
            self.logger = logger
        }

        /// Looks whether the files have changed.
        mutating func look() async {
            await self.followSearch()
            let stamp = FileStamp(self.options.nameTable)
            guard stamp != self.last else {
                // Nobody has written any more: the mistake is one.
                if let complaint = self.complaint { self.report(complaint) }
                return
            }
            let isFirst = self.last == nil
            self.last = stamp
            let start = ContinuousClock.now
            do {
                let change = try self.file.read(try stamp.content(), NameTableDecoding.host)
                self.complaint = nil
                await self.apply(change, readIn: ContinuousClock.now - start)
            } catch {
                self.complaint = "\(error)"
                if isFirst || stamp.isMissing { self.report("\(error)") }
            }
            NameTableFile.giveMemoryBack()
        }

        private mutating func followSearch() async {
            guard self.options.search.isEmpty else {
                self.search = self.options.search
                return
            }
            let stamp = FileStamp(self.options.resolvConf)
            guard stamp != self.lastResolver else { return }
            self.lastResolver = stamp
            // While the file is being replaced it may be missing: what was known stays.
            guard let file = ResolvConfWatch.read(self.options.resolvConf) else { return }
            let search = file.search.map(\.description)
            guard search != self.search else { return }
            self.search = search
            guard let table = self.table?.seen(from: self.viewpoint) else { return }
            self.table = table
            await self.server.update(table)
        }

        private var viewpoint: DNSViewpoint {
            DNSViewpoint(namespace: self.options.namespace, search: self.search ?? [])
        }

        private mutating func apply(_ change: NameTableFile.Change, readIn time: Duration) async {
            let start = ContinuousClock.now
            let table =
                self.table?.updating(changed: change.changed, removed: change.removed)
                ?? DNSTable(hosts: change.changed, viewpoint: self.viewpoint)
            self.table = table
            await self.server.update(table)
            let applied = ContinuousClock.now - start
            self.logger.info(
                "name table read",
                metadata: [
                    "file": "\(self.options.nameTable)", "names": "\(self.file.count)",
                    "changed": "\(change.changed.count)", "removed": "\(change.removed.count)",
                    "read_ms": "\(Self.milliseconds(time))", "applied_ms": "\(Self.milliseconds(applied))",
                ]
            )
        }

        private static func milliseconds(_ duration: Duration) -> Double {
            (duration / .microseconds(1)).rounded() / 1000
        }

        private mutating func report(_ message: String) {
            self.complaint = nil
            self.logger.error(
                "name table not usable",
                metadata: [
                    "file": "\(self.options.nameTable)", "reason": "\(message)",
                    "serving": "\(self.table == nil ? "nothing: SERVFAIL" : "what was read before")",
                ]
            )
        }
    }
}
