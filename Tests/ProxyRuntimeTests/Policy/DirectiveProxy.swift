import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// A proxy whose policy engine lets all requests pass and says what becomes of them, with two clusters that they may go to.
enum DirectiveProxy {
    struct Parties {
        let engine: TestEngine
        /// Behind cluster 1.
        let first: RawServer
        /// Behind cluster 2.
        let second: RawServer
    }

    static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    static func line(
        method: String? = nil,
        target: String? = nil,
        authority: String? = nil
    ) -> RequestLineEdits {
        RequestLineEdits(
            method: method.map(self.bytes),
            target: target.map(self.bytes),
            authority: authority.map(self.bytes)
        )
    }

    static func entry(_ name: String, _ value: String) -> HeaderEdits.Entry {
        HeaderEdits.Entry(name: self.bytes(name), value: self.bytes(value))
    }

    /// One that holds for all requests, for an hour.
    static func answer(
        _ line: RequestLineEdits = RequestLineEdits(),
        request: HeaderEdits = HeaderEdits(),
        response: HeaderEdits = HeaderEdits()
    ) -> MixerAnswer {
        var answer = CheckAnswer(CheckVerdict(MixerStatus()))
        answer.verdict.requestLine = line
        answer.verdict.requestHeaders = request
        answer.verdict.responseHeaders = response
        answer.validDuration = .seconds(3600)
        answer.validUseCount = -1
        answer.references = []
        return .answered(answer)
    }

    static func forward(
        _ cluster: Int,
        timeout: Duration? = nil,
        retry: RetryPolicy? = nil,
        prefixRewrite: String? = nil
    ) -> Route.Action {
        .forward(
            ForwardAction(
                clusters: [WeightedCluster(cluster: ClusterID(index: cluster), name: "\(cluster)")],
                timeout: timeout,
                retry: retry,
                prefixRewrite: prefixRewrite.map(self.bytes)
            )
        )
    }

    static func route(
        _ name: String,
        _ prefix: String,
        _ action: Route.Action,
        header: (name: String, value: String)? = nil,
        crossOrigin: CrossOriginPolicy? = nil
    ) -> Route {
        let headers = header.map { [HeaderMatch(name: self.bytes($0.name), value: .exact(self.bytes($0.value)))] }
        return Route(
            name: name,
            match: RouteMatch(path: .prefix(self.bytes(prefix)), headers: headers ?? []),
            action: action,
            crossOrigin: crossOrigin
        )
    }

    /// All requests go to cluster 1, but those of version 2 to cluster 2.
    static let versions = [
        Self.route("second", "/", Self.forward(2), header: ("x-version", "2")),
        Self.route("first", "/", Self.forward(1)),
    ]
    static let versionTwo = HeaderEdits(set: [Self.entry("x-version", "2")])

    static func run(
        _ answer: MixerAnswer,
        _ routes: [Route],
        version: Cluster.HTTPVersion = .http1,
        failsOpen: Bool = false,
        reports: Bool = false,
        normalizesPath: Bool = false,
        accessLogs: [AccessLogConfiguration] = [],
        holds: Bool = false,
        _ body: (TestProxy, Parties) async throws -> Void
    ) async throws {
        let parties = Parties(
            engine: TestEngine(answer, holds: holds),
            first: try await RawServer.start(),
            second: try await RawServer.start()
        )
        var setup = MixerProxy(engine: parties.engine, failsOpen: failsOpen, reports: reports)
        setup.routes = routes
        setup.normalizesPath = normalizesPath
        setup.accessLogs = accessLogs
        let address = NetworkAddress(ip: TestProxy.loopback, port: parties.second.port)
        setup.furtherClusters = [
            Cluster(
                id: ClusterID(index: 2),
                name: "second",
                discovery: .endpoints([ClusterEndpoint(address: address)]),
                httpVersion: version
            )
        ]
        try await setup.run(ports: [parties.first.port]) { try await body($0, parties) }
        try await parties.first.stop()
        try await parties.second.stop()
    }

    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
}
