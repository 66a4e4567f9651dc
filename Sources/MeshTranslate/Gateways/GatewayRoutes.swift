import MeshModel
import SwiftProtobuf
import XDSAPI

/// Route configurations of a gateway: one for each port of plain HTTP, one for each server that takes TLS off.
struct GatewayRoutes {
    let scope: ProxyScope
    let plan: GatewayPlan

    func configurations() -> [Envoy_Config_Route_V3_RouteConfiguration] {
        var servers: [String: (port: Port, servers: [GatewayPlan.Server])] = [:]
        for (socket, entrance) in self.plan.entrances.sorted(by: { $0.key < $1.key }) {
            for server in entrance.servers {
                guard let name = Self.name(of: server, at: socket) else { continue }
                servers[name, default: (socket.port, [])].servers.append(server)
            }
        }
        return servers.sorted { $0.key < $1.key }.map {
            OutboundRoutes.configuration($0.key, self.virtualHosts(of: $0.value.servers, port: $0.value.port))
        }
    }

    /// The configuration that holds a server's routes; `nil` if it forwards bytes.
    static func name(of server: GatewayPlan.Server, at socket: GatewayPlan.Socket) -> String? {
        let settings = server.server
        if GatewayPlan.Opening(settings) == .plainHTTP {
            return ResourceName.gatewayRoutes(port: socket.port, bind: socket.bind)
        }
        guard settings.serverProtocol.isHTTP, settings.tls?.isTerminated == true else { return nil }
        return ResourceName.gatewayRoutes(
            port: settings.port,
            portName: settings.portName,
            gateway: server.gateway.source.id
        )
    }

    private struct Host {
        var name: HostName
        var routes: [Envoy_Config_Route_V3_Route] = []
        var redirectsToHTTPS = false
    }

    /// A virtual host for each name; what several VirtualServices say of one is put together, oldest first.
    private func virtualHosts(of servers: [GatewayPlan.Server], port: Port) -> [Envoy_Config_Route_V3_VirtualHost] {
        var hosts: [HostName: Host] = [:]
        for server in servers {
            for rules in self.scope.routeRules(boundTo: server.gateway) where !rules.http.isEmpty {
                let names = server.names(of: rules)
                if names.isEmpty { continue }
                let builder = RouteBuilder(scope: self.scope, port: server.server.port, place: server.place)
                let routes = builder.routes(rules.http)
                if routes.isEmpty { continue }
                for name in names {
                    // One VirtualService may be bound here by two Gateways.
                    let known = hosts[name, default: Host(name: name)].routes
                    hosts[name, default: Host(name: name)].routes += routes.filter { !known.contains($0) }
                }
            }
        }
        for server in servers where server.server.redirectsToHTTPS {
            for name in server.hosts.map(\.name) { hosts[name, default: Host(name: name)].redirectsToHTTPS = true }
            for name in hosts.keys where server.hosts.contains(where: { $0.name.covers(name) }) {
                // Only what this very server answers to: another may serve the narrower name in the clear.
                let others = servers.filter { !$0.server.redirectsToHTTPS }
                if others.contains(where: { $0.hosts.contains { $0.name.covers(name) } }) { continue }
                hosts[name]?.redirectsToHTTPS = true
            }
        }
        if hosts.isEmpty { return [Self.nothing(port)] }
        return hosts.values.sorted { $0.name < $1.name }.map { self.virtualHost($0, port) }
    }

    private func virtualHost(_ host: Host, _ port: Port) -> Envoy_Config_Route_V3_VirtualHost {
        .with {
            $0.name = ResourceName.routes(host.name, port: port)
            $0.domains = [host.name.text]
            if host.redirectsToHTTPS {
                $0.routes = [Self.redirectToHTTPS]
            } else {
                // Routes that take everything go last: those of another VirtualService are to be reached (facts #32).
                let (last, first) = (
                    host.routes.filter(\.match.takesEverything), host.routes.filter { !$0.match.takesEverything }
                )
                $0.routes = first + last.prefix(1)
            }
        }
    }

    /// The same address by HTTPS. A route, not `require_tls`, which asks a header of the client what it came by.
    private static var redirectToHTTPS: Envoy_Config_Route_V3_Route {
        .with {
            $0.name = "https-redirect"
            $0.match.prefix = "/"
            $0.redirect.httpsRedirect = true
            $0.redirect.responseCode = .movedPermanently
        }
    }

    /// No VirtualService yet: every request is answered with 404.
    private static func nothing(_ port: Port) -> Envoy_Config_Route_V3_VirtualHost {
        .with {
            $0.name = "blackhole:\(port)"
            $0.domains = ["*"]
        }
    }
}

extension ServerTLSSettings {
    /// Whether the gateway takes TLS off.
    var isTerminated: Bool {
        switch self.mode {
        case .passthrough, .autoPassthrough: false
        case .simple, .mutual, .optionalMutual, .istioMutual: true
        }
    }
}
