internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Route configurations to route tables.
struct RouteTableBuilder {
    private var registry: ClusterRegistry

    private init(registry: ClusterRegistry) { self.registry = registry }

    /// Adds a finding for everything that is wrong; the table is usable only if there was none.
    static func build(
        _ message: Envoy_Config_Route_V3_RouteConfiguration,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> RouteTable {
        var builder = RouteTableBuilder(registry: registry)
        defer { registry = builder.registry }
        return builder.table(message, at: path, &findings)
    }

    /// What a virtual host's routes inherit.
    private struct Inherited {
        var request: HeaderEdits
        var response: HeaderEdits
        var retry: TrafficEngine.RetryPolicy?
    }

    private mutating func table(
        _ message: Envoy_Config_Route_V3_RouteConfiguration,
        at path: String,
        _ findings: inout Findings
    ) -> RouteTable {
        let outer = Inherited(
            request: HeaderEditsBuilder.request.build(
                add: message.requestHeadersToAdd,
                remove: message.requestHeadersToRemove,
                at: path,
                &findings
            ),
            response: HeaderEditsBuilder.response.build(
                add: message.responseHeadersToAdd,
                remove: message.responseHeadersToRemove,
                at: path,
                &findings
            )
        )
        var virtualHosts: [VirtualHost] = []
        var taken: [String: String] = [:]
        for (index, host) in message.virtualHosts.enumerated() {
            let path = "\(joined(path, "virtual_hosts"))[\(index)]"
            if host.domains.isEmpty { findings.add("\(path).domains", "at least one domain is needed") }
            for (number, domain) in host.domains.enumerated() {
                if let other = taken.updateValue(host.name, forKey: domain.lowercased()) {
                    findings.add("\(path).domains[\(number)]", "`\(domain)` belongs to virtual host `\(other)` already")
                }
            }
            virtualHosts.append(self.virtualHost(host, outer, at: path, &findings))
        }
        return RouteTable(name: message.name, virtualHosts: virtualHosts)
    }

    private mutating func virtualHost(
        _ message: Envoy_Config_Route_V3_VirtualHost,
        _ outer: Inherited,
        at path: String,
        _ findings: inout Findings
    ) -> VirtualHost {
        let request = HeaderEditsBuilder.request.build(
            add: message.requestHeadersToAdd,
            remove: message.requestHeadersToRemove,
            at: path,
            &findings
        )
        let response = HeaderEditsBuilder.response.build(
            add: message.responseHeadersToAdd,
            remove: message.responseHeadersToRemove,
            at: path,
            &findings
        )
        var inherited = Inherited(
            request: request.followed(by: outer.request),
            response: response.followed(by: outer.response)
        )
        if message.hasRetryPolicy {
            inherited.retry = RetryPolicy(message.retryPolicy, at: "\(path).retry_policy", &findings)
        }
        var routes: [Route] = []
        for (index, route) in message.routes.enumerated() {
            let path = "\(path).routes[\(index)]"
            if let route = self.route(route, inherited, at: path, &findings) { routes.append(route) }
        }
        return VirtualHost(name: message.name, domains: message.domains.map { $0.lowercased() }, routes: routes)
    }

    private mutating func route(
        _ message: Envoy_Config_Route_V3_Route,
        _ inherited: Inherited,
        at path: String,
        _ findings: inout Findings
    ) -> Route? {
        let request = HeaderEditsBuilder.request.build(
            add: message.requestHeadersToAdd,
            remove: message.requestHeadersToRemove,
            at: path,
            &findings
        )
        let response = HeaderEditsBuilder.response.build(
            add: message.responseHeadersToAdd,
            remove: message.responseHeadersToRemove,
            at: path,
            &findings
        )
        let action = self.action(message, inherited, at: path, &findings)
        guard let match = RouteMatchBuilder.build(message.match, at: "\(path).match", &findings), let action else {
            return nil
        }
        return Route(
            name: message.name,
            match: match,
            action: action,
            requestHeaders: request.followed(by: inherited.request),
            responseHeaders: response.followed(by: inherited.response),
            crossOrigin: CrossOriginBuilder.build(message.typedPerFilterConfig, at: path, &findings)
        )
    }

    private mutating func action(
        _ message: Envoy_Config_Route_V3_Route,
        _ inherited: Inherited,
        at path: String,
        _ findings: inout Findings
    ) -> Route.Action? {
        switch message.action {
        case .route(let action):
            return self.forward(action, inherited, at: "\(path).route", &findings).map { .forward($0) }
        case .redirect(let action):
            return Self.redirect(action, at: "\(path).redirect", &findings).map { .redirect($0) }
        case .directResponse(let action):
            let status = Int(action.status)
            guard (200...599).contains(status) else {
                findings.add("\(path).direct_response.status", "\(status) is no status from 200 to 599")
                return nil
            }
            if case .filename = action.body.specifier {
                findings.add("\(path).direct_response.body.filename", "files are not supported here")
            }
            return .respond(status: status, body: Self.bytes(action.body))
        case .nonForwardingAction: return nil  // the audit of fields has named it
        case nil:
            findings.add(path, "one of route, redirect, direct_response is needed")
            return nil
        }
    }

    private static func bytes(_ source: Envoy_Config_Core_V3_DataSource) -> [UInt8] {
        switch source.specifier {
        case .inlineString(let text): Array(text.utf8)
        case .inlineBytes(let bytes): Array(bytes)
        case .filename, .environmentVariable, nil: []  // refused before this
        }
    }

    private mutating func forward(
        _ message: Envoy_Config_Route_V3_RouteAction,
        _ inherited: Inherited,
        at path: String,
        _ findings: inout Findings
    ) -> ForwardAction? {
        var hostRewrite: [UInt8]?
        switch message.hostRewriteSpecifier {
        case .hostRewriteLiteral(let host): hostRewrite = Array(host.utf8)
        case .autoHostRewrite(let isWanted):
            if isWanted.value {
                findings.add("\(path).auto_host_rewrite", "true is not supported; supported: host_rewrite_literal")
            }
        case .hostRewriteHeader, .hostRewritePathRegex, nil: ()
        }
        var retry = inherited.retry
        if message.hasRetryPolicy {
            retry = RetryPolicy(message.retryPolicy, at: "\(path).retry_policy", &findings)
        }
        guard let clusters = self.clusters(message, at: path, &findings) else { return nil }
        return ForwardAction(
            clusters: clusters,
            // Envoy's default is 15 s; zero says that there is none.
            timeout: message.hasTimeout ? message.timeout.limit : .seconds(15),
            retry: retry,
            prefixRewrite: message.prefixRewrite.isEmpty ? nil : Array(message.prefixRewrite.utf8),
            hostRewrite: hostRewrite,
            allowsUpgrade: Self.allowsUpgrade(message, at: path, &findings),
            hashKeys: message.hashPolicy.enumerated().compactMap { index, policy in
                HashKey(policy, at: "\(path).hash_policy[\(index)]", &findings)
            }
        )
    }

    private static func allowsUpgrade(
        _ message: Envoy_Config_Route_V3_RouteAction,
        at path: String,
        _ findings: inout Findings
    ) -> Bool {
        var allowed = false
        for (index, upgrade) in message.upgradeConfigs.enumerated() where !upgrade.hasEnabled || upgrade.enabled.value {
            if upgrade.upgradeType.lowercased() == "connect" {
                findings.add("\(path).upgrade_configs[\(index)]", "CONNECT is not supported; supported: websocket")
            }
            allowed = true
        }
        return allowed
    }

    private mutating func clusters(
        _ message: Envoy_Config_Route_V3_RouteAction,
        at path: String,
        _ findings: inout Findings
    ) -> [WeightedCluster]? {
        switch message.clusterSpecifier {
        case .cluster(let name):
            return [WeightedCluster(cluster: self.registry.id(of: name), name: name)]
        case .weightedClusters(let weighted):
            let path = "\(path).weighted_clusters.clusters"
            var clusters: [WeightedCluster] = []
            for (index, entry) in weighted.clusters.enumerated() {
                if entry.name.isEmpty { findings.add("\(path)[\(index)].name", "a cluster's name is needed") }
                clusters.append(self.weighted(entry, at: "\(path)[\(index)]", &findings))
            }
            guard clusters.contains(where: { $0.weight > 0 }) else {
                findings.add(path, "the weights must add up to more than 0")
                return nil
            }
            return clusters
        case .clusterHeader: return nil  // the audit of fields has named it
        case nil:
            findings.add(path, "one of cluster, weighted_clusters is needed")
            return nil
        }
    }

    private mutating func weighted(
        _ message: Envoy_Config_Route_V3_WeightedCluster.ClusterWeight,
        at path: String,
        _ findings: inout Findings
    ) -> WeightedCluster {
        WeightedCluster(
            cluster: self.registry.id(of: message.name),
            name: message.name,
            weight: message.weight.value,
            requestHeaders: HeaderEditsBuilder.request.build(
                add: message.requestHeadersToAdd,
                remove: message.requestHeadersToRemove,
                at: path,
                &findings
            ),
            responseHeaders: HeaderEditsBuilder.response.build(
                add: message.responseHeadersToAdd,
                remove: message.responseHeadersToRemove,
                at: path,
                &findings
            )
        )
    }

    private static func redirect(
        _ message: Envoy_Config_Route_V3_RedirectAction,
        at path: String,
        _ findings: inout Findings
    ) -> TrafficEngine.RedirectAction? {
        var pathRedirect: [UInt8]?
        var prefixRewrite: [UInt8]?
        switch message.pathRewriteSpecifier {
        case .pathRedirect(let text), .pathRewrite(let text): pathRedirect = Array(text.utf8)
        case .prefixRewrite(let text): prefixRewrite = Array(text.utf8)
        case .regexRewrite, nil: ()
        }
        var scheme: [UInt8]?
        switch message.schemeRewriteSpecifier {
        case .httpsRedirect(let isWanted): scheme = isWanted ? Array("https".utf8) : nil
        case .schemeRedirect(let text): scheme = Array(text.utf8)
        case nil: ()
        }
        guard let port = UInt16(exactly: message.portRedirect) else {
            findings.add("\(path).port_redirect", "\(message.portRedirect) is no port")
            return nil
        }
        let status: Int
        switch message.responseCode {
        case .movedPermanently: status = 301
        case .found: status = 302
        case .seeOther: status = 303
        case .temporaryRedirect: status = 307
        case .permanentRedirect: status = 308
        case .UNRECOGNIZED(let number):
            findings.add("\(path).response_code", "\(number) is not known")
            return nil
        }
        return TrafficEngine.RedirectAction(
            scheme: scheme,
            host: message.hostRedirect.isEmpty ? nil : Array(message.hostRedirect.utf8),
            port: port == 0 ? nil : port,
            path: pathRedirect,
            prefixRewrite: prefixRewrite,
            status: status
        )
    }
}
