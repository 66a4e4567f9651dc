internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// What a tunnel's line in the access log will say, gathered while it is open.
struct TunnelAccount {
    private let logs: [AccessLog]
    private let startMilliseconds: Int
    private let startNanoseconds: UInt64
    var clusterName = ""
    var upstreamLocal: NetworkAddress?
    var upstreamFailure: String?
    var terminationDetails: String?
    /// From the client.
    var bytesReceived = 0
    /// To the client.
    var bytesSent = 0

    init(logs: [AccessLog]) {
        self.logs = logs
        self.startMilliseconds = WallClock.milliseconds()
        self.startNanoseconds = NIODeadline.now().uptimeNanoseconds
    }

    /// It is over: writes the line, where one is wanted.
    ///
    /// - Parameters:
    ///   - reason: why it ended.
    ///   - facts: what is known of the client.
    ///   - serverName: that was asked for in TLS.
    ///   - upstream: the endpoint; `nil`: it never came to one.
    func close(_ reason: EndReason, _ facts: ClientFacts, serverName: String?, upstream: NetworkAddress?) {
        guard !self.logs.isEmpty else { return }
        let end = NIODeadline.now().uptimeNanoseconds
        var record = LogRecord(startMilliseconds: self.startMilliseconds)
        record.reason = reason
        record.bytesReceived = self.bytesReceived
        record.bytesSent = self.bytesSent
        record.durationMilliseconds = Int((end &- self.startNanoseconds) / 1_000_000)
        record.upstreamHost = upstream
        record.upstreamLocal = self.upstreamLocal
        record.clusterName = self.clusterName
        record.downstreamLocal = facts.destination
        record.downstreamRemote = facts.source
        record.serverName = serverName
        record.upstreamFailure = self.upstreamFailure
        record.terminationDetails = self.terminationDetails
        record.peer = facts.peer
        record.localURI = facts.localURI
        record.tlsVersion = facts.tlsVersion
        let none = CapturedValues()
        for log in self.logs {
            log.sink.append { line in log.format.write(record, request: none, response: none, to: &line) }
        }
    }
}
