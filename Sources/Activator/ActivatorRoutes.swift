internal import MeshModel
internal import TrafficEngine

/// How requests come in, and which revision they are for: what an activator's proxy does whatever revisions there are.
enum ActivatorRoutes {
    static let listenerName = "activator"
    /// The route table, which changes with the revisions while the listener stays.
    static let tableName = "revisions"
    /// The routes that the autoscaler makes set them.
    static let revisionHeader = "knative-serving-revision"
    static let namespaceHeader = "knative-serving-namespace"

    /// No request takes longer, as no revision's `timeoutSeconds` says more; and a WebSocket without a byte for so long
    /// ends.
    private static let requestTimeMax: Duration = .seconds(86_400)
    /// Clients of HTTP/2 have many requests wait on one connection.
    private static let concurrentStreamsMax: UInt32 = 1000

    /// In plain: HTTP/1.1, and HTTP/2 by prior knowledge.
    static func listener(at address: NetworkAddress) -> Listener {
        var http2 = HTTP2Settings()
        http2.concurrentStreamsMax = Self.concurrentStreamsMax
        let manager = HTTPConnectionManager(
            statPrefix: Self.listenerName,
            routes: .named(Self.tableName),
            streamIdleTimeout: Self.requestTimeMax,
            addsForwardingHeaders: false,
            allowsUpgrade: true,
            http2: http2,
            respectsExpectedTimeout: true
        )
        return Listener(
            name: Self.listenerName,
            address: address,
            chains: [FilterChain(name: "requests", terminal: .http(manager))]
        )
    }

    /// The route of requests for one revision. Its time counts from the beginning of a request, wait and answer included.
    static func route(to revision: ObjectID, _ cluster: ClusterID, timeLimit: Duration) -> Route {
        let forward = ForwardAction(
            clusters: [WeightedCluster(cluster: cluster, name: revision.description)],
            timeout: timeLimit,
            timeoutIncludesRequest: true
        )
        return Route(name: revision.description, match: Self.any, action: .forward(forward))
    }

    /// `isReady`: all objects have been read.
    static func table(of routes: [ObjectID: Route], isReady: Bool) -> RouteTable {
        let directory = RouteDirectory(
            headers: [Array(Self.namespaceHeader.utf8), Array(Self.revisionHeader.utf8)],
            entries: routes.map { revision, route in
                RouteDirectory.Entry(
                    values: [Array(revision.namespace.utf8), Array(revision.name.utf8)],
                    route: route
                )
            }
        )
        let host = VirtualHost(
            name: "all",
            domains: ["*"],
            directory: directory,
            routes: [Self.health(isReady: isReady)] + (isReady ? [Self.unknown, Self.unnamed] : [Self.early])
        )
        return RouteTable(name: Self.tableName, virtualHosts: [host])
    }

    // MARK: Answers of its own

    private static let any = RouteMatch(path: .prefix([]))

    /// Kubernetes' question, which is known by who asks it: programs may have a page of that name.
    private static func health(isReady: Bool) -> Route {
        let probe = HeaderMatch(name: Array("user-agent".utf8), value: .prefix(Array("kube-probe/".utf8)))
        return Route(
            name: "health",
            match: RouteMatch(path: .exact(Array("/healthz".utf8)), headers: [probe]),
            action: .respond(status: isReady ? 200 : 503, body: [])
        )
    }

    private static let unknown = Route(
        name: "unknown",
        match: RouteMatch(
            path: .prefix([]),
            headers: [Self.namespaceHeader, Self.revisionHeader].map {
                HeaderMatch(name: Array($0.utf8), value: .present)
            }
        ),
        action: .respond(
            status: 404,
            body: Array("no revision of the name in \(Self.revisionHeader) and \(Self.namespaceHeader)\n".utf8)
        )
    )

    private static let unnamed = Route(
        name: "unnamed",
        match: Self.any,
        action: .respond(
            status: 404,
            body: Array(
                "no \(Self.revisionHeader) and \(Self.namespaceHeader) in the request; does its route set them?\n".utf8
            )
        )
    )

    /// A revision that is not known yet may be one all the same.
    private static let early = Route(
        name: "early",
        match: Self.any,
        action: .respond(status: 503, body: Array("revisions have not been read yet\n".utf8)),
        responseHeaders: HeaderEdits(set: [HeaderEdits.Entry(name: Array("retry-after".utf8), value: Array("1".utf8))])
    )
}
