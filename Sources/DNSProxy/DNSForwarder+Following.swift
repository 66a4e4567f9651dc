package import Logging

extension DNSForwarder {
    /// Asks the servers of a `resolv.conf` that has changed.
    ///
    /// - Parameters:
    ///   - file: for a server of this machine, see ``ResolvConf/forUpstream(_:)``.
    ///   - own: addresses of our own servers, which are never asked.
    ///   - isParallel: whether all servers are asked at once.
    ///   - logger: hears about other servers.
    package func follow(_ file: ResolvConf, without own: Set<DNSUpstream>, isParallel: Bool, logger: Logger) async {
        let upstreams = DNSUpstreams(file, without: own, isParallel: isParallel)
        let before = await self.servers()
        await self.update(upstreams)
        guard before != upstreams.servers else { return }
        logger.info("dns servers changed", metadata: ["servers": "\(upstreams.servers)"])
    }
}
