package import TrafficEngine

/// What a proxy has counted since it started: plain numbers, added up over its loops when somebody asks.
///
/// Keys are configured names and addresses, never request data, except `blocked`, which is bounded.
package struct ProxyStatistics: Sendable, Hashable {
    /// By listener name.
    package var listeners: [String: ListenerStatistics] = [:]
    /// By the connection managers' statistics prefix.
    package var http: [String: HTTPStatistics] = [:]
    /// Of connections from clients.
    package var http2 = HTTP2Counts()
    /// By the TCP proxies' statistics prefix.
    package var tcp: [String: TCPStatistics] = [:]
    /// By `http.` or `tcp.` and the statistics prefix; only where there are policies.
    package var policies: [String: PolicyStatistics] = [:]
    /// `nil`: no policy has needed the policy engine yet.
    package var mixer: MixerStatistics?
    /// The same for connections; calls that report are counted with those for requests.
    package var connectionMixer: MixerStatistics?
    /// By cluster name.
    package var clusters: [String: ClusterStatistics] = [:]
    /// Of revisions that may have no pods, by `namespace/name`; counted for all loops together, and not merged.
    package var activations: [String: ActivationStatistics] = [:]
    /// Requests whose clients left while they waited for a revision that has gone since.
    package var activationsLeft = 0
    /// Traffic to destinations that the registry does not know, or that DNS did not lead there.
    package var blocked: [BlockedKey: UInt64] = [:]
    /// Blocked traffic whose key found no room in `blocked`.
    package var blockedOthers: UInt64 = 0
    /// Access log lines that were dropped because the file could not take them fast enough.
    package var accessLogLinesDropped: UInt64 = 0

    package init() {}

    /// Adds what another loop counted.
    package mutating func merge(_ other: ProxyStatistics) {
        self.listeners.merge(other.listeners) { $0.adding($1) }
        self.http.merge(other.http) { $0.adding($1) }
        self.http2.add(other.http2)
        self.tcp.merge(other.tcp) { $0.adding($1) }
        self.policies.merge(other.policies) { $0.adding($1) }
        self.mixer = other.mixer.map { self.mixer?.adding($0) ?? $0 } ?? self.mixer
        self.connectionMixer =
            other.connectionMixer.map { self.connectionMixer?.adding($0) ?? $0 } ?? self.connectionMixer
        self.clusters.merge(other.clusters) { $0.adding($1) }
        self.blocked.merge(other.blocked, uniquingKeysWith: +)
        self.blockedOthers += other.blockedOthers
        self.accessLogLinesDropped += other.accessLogLinesDropped
    }
}

/// What was blocked and why.
package struct BlockedKey: Sendable, Hashable {
    /// The `Host` of a request, or the name that a workload last looked up for the address; empty if unknown.
    package var name: String
    /// Where the connection wanted to go; `nil` where it could not be told.
    package var address: NetworkAddress?
    package var reason: EndReason
    /// It was let through: DNS-bound egress was only watching.
    package var isAudit = false

    package init(name: String, address: NetworkAddress?, reason: EndReason) {
        self.name = name
        self.address = address
        self.reason = reason
    }
}

/// Whether a number only grows, or shows a level.
package enum StatisticKind: Sendable, Hashable { case counter, gauge }

/// One number under the name that Envoy gives it.
package struct Statistic: Sendable, Hashable {
    package var name: String
    package var kind: StatisticKind
    package var value: Int
    /// How Prometheus calls it, if not by the name.
    package var metric: Metric?

    /// A name and at most one label, whose value is out of a closed or configured set.
    package struct Metric: Sendable, Hashable {
        package var name: String
        package var label: String
        package var labelValue: String
        /// How many of the counted units are one of Prometheus': it wants seconds.
        package var divisor: Int

        package init(_ name: String, label: String = "", _ labelValue: String = "", divisor: Int = 1) {
            self.name = name
            self.label = label
            self.labelValue = labelValue
            self.divisor = divisor
        }
    }

    package init(_ name: String, _ kind: StatisticKind, _ value: Int, metric: Metric? = nil) {
        self.name = name
        self.kind = kind
        self.value = value
        self.metric = metric
    }
}

/// Counts of one listener.
package struct ListenerStatistics: Sendable, Hashable {
    package var connections = 0
    package var connectionsActive = 0
    package var connectionsDestroyed = 0
    package var connectionsOverflowed = 0
    package var noFilterChainMatch = 0
    package var inspectionTimedOut = 0
    package var loops = 0
    /// Hellos that were too large to be looked at.
    package var hellosTooLarge = 0
    package var tls = TLSStatistics()

    package init() {}

    /// The numbers under Envoy's names (`listener.<name>.…`).
    package var all: [Statistic] {
        [
            Statistic("downstream_cx_total", .counter, self.connections),
            Statistic("downstream_cx_active", .gauge, self.connectionsActive),
            Statistic("downstream_cx_destroy", .counter, self.connectionsDestroyed),
            Statistic("downstream_cx_overflow", .counter, self.connectionsOverflowed),
            Statistic("no_filter_chain_match", .counter, self.noFilterChainMatch),
            Statistic("downstream_pre_cx_timeout", .counter, self.inspectionTimedOut),
            Statistic("loop_detected", .counter, self.loops),
            Statistic("tls_inspector.client_hello_too_large", .counter, self.hellosTooLarge),
        ] + self.tls.all
    }

    fileprivate func adding(_ other: ListenerStatistics) -> ListenerStatistics {
        var sum = self
        sum.connections += other.connections
        sum.connectionsActive += other.connectionsActive
        sum.connectionsDestroyed += other.connectionsDestroyed
        sum.connectionsOverflowed += other.connectionsOverflowed
        sum.noFilterChainMatch += other.noFilterChainMatch
        sum.inspectionTimedOut += other.inspectionTimedOut
        sum.loops += other.loops
        sum.hellosTooLarge += other.hellosTooLarge
        sum.tls.add(other.tls)
        return sum
    }
}

/// Counts of the HTTP connection managers with one statistics prefix.
package struct HTTPStatistics: Sendable, Hashable {
    package var connections = 0
    package var connectionsActive = 0
    package var requests = 0
    package var requestsActive = 0
    package var responses = StatusCounts()
    package var protocolErrors = 0
    package var headsTooLarge = 0
    package var requestTimeouts = 0
    package var idleTimeouts = 0
    package var upgrades = 0
    package var connectionsHTTP1 = 0
    package var connectionsHTTP2 = 0
    package var prematureResets = 0
    package var bytesReceived = 0
    package var bytesSent = 0

    package init() {}

    /// The numbers under Envoy's names (`http.<prefix>.…`).
    package var all: [Statistic] {
        [
            Statistic("downstream_cx_total", .counter, self.connections),
            Statistic("downstream_cx_active", .gauge, self.connectionsActive),
            Statistic("downstream_cx_http1_total", .counter, self.connectionsHTTP1),
            Statistic("downstream_cx_http2_total", .counter, self.connectionsHTTP2),
            Statistic("downstream_rq_too_many_premature_resets", .counter, self.prematureResets),
            Statistic("downstream_cx_protocol_error", .counter, self.protocolErrors),
            Statistic("downstream_cx_idle_timeout", .counter, self.idleTimeouts),
            Statistic("downstream_cx_upgrades_total", .counter, self.upgrades),
            Statistic("downstream_cx_rx_bytes_total", .counter, self.bytesReceived),
            Statistic("downstream_cx_tx_bytes_total", .counter, self.bytesSent),
            Statistic("downstream_rq_total", .counter, self.requests),
            Statistic("downstream_rq_active", .gauge, self.requestsActive),
            Statistic("downstream_rq_too_large", .counter, self.headsTooLarge),
            Statistic("downstream_rq_timeout", .counter, self.requestTimeouts),
        ] + self.responses.all(prefix: "downstream_rq_")
    }

    fileprivate func adding(_ other: HTTPStatistics) -> HTTPStatistics {
        var sum = self
        sum.connections += other.connections
        sum.connectionsActive += other.connectionsActive
        sum.requests += other.requests
        sum.requestsActive += other.requestsActive
        sum.responses.add(other.responses)
        sum.protocolErrors += other.protocolErrors
        sum.headsTooLarge += other.headsTooLarge
        sum.requestTimeouts += other.requestTimeouts
        sum.idleTimeouts += other.idleTimeouts
        sum.upgrades += other.upgrades
        sum.connectionsHTTP1 += other.connectionsHTTP1
        sum.connectionsHTTP2 += other.connectionsHTTP2
        sum.prematureResets += other.prematureResets
        sum.bytesReceived += other.bytesReceived
        sum.bytesSent += other.bytesSent
        return sum
    }
}

/// Counts of the TCP proxies with one statistics prefix.
package struct TCPStatistics: Sendable, Hashable {
    package var connections = 0
    package var connectionsActive = 0
    package var noCluster = 0
    package var idleTimeouts = 0
    package var bytesReceived = 0
    package var bytesSent = 0

    package init() {}

    /// The numbers under Envoy's names (`tcp.<prefix>.…`).
    package var all: [Statistic] {
        [
            Statistic("downstream_cx_total", .counter, self.connections),
            Statistic("downstream_cx_active", .gauge, self.connectionsActive),
            Statistic("downstream_cx_no_route", .counter, self.noCluster),
            Statistic("idle_timeout", .counter, self.idleTimeouts),
            Statistic("downstream_cx_rx_bytes_total", .counter, self.bytesReceived),
            Statistic("downstream_cx_tx_bytes_total", .counter, self.bytesSent),
        ]
    }

    fileprivate func adding(_ other: TCPStatistics) -> TCPStatistics {
        var sum = self
        sum.connections += other.connections
        sum.connectionsActive += other.connectionsActive
        sum.noCluster += other.noCluster
        sum.idleTimeouts += other.idleTimeouts
        sum.bytesReceived += other.bytesReceived
        sum.bytesSent += other.bytesSent
        return sum
    }
}

/// Responses by class.
package struct StatusCounts: Sendable, Hashable {
    package var informational = 0
    package var successful = 0
    package var redirected = 0
    package var clientError = 0
    package var serverError = 0

    package init() {}

    package mutating func count(_ status: Int) {
        switch status {
        case 200..<300: self.successful += 1
        case 300..<400: self.redirected += 1
        case 400..<500: self.clientError += 1
        case 100..<200: self.informational += 1
        default: self.serverError += 1
        }
    }

    mutating func add(_ other: StatusCounts) {
        self.informational += other.informational
        self.successful += other.successful
        self.redirected += other.redirected
        self.clientError += other.clientError
        self.serverError += other.serverError
    }

    func all(prefix: String) -> [Statistic] {
        [
            Statistic(prefix + "1xx", .counter, self.informational),
            Statistic(prefix + "2xx", .counter, self.successful),
            Statistic(prefix + "3xx", .counter, self.redirected),
            Statistic(prefix + "4xx", .counter, self.clientError),
            Statistic(prefix + "5xx", .counter, self.serverError),
        ]
    }
}
