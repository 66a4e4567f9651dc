import MeshModel
import SwiftProtobuf
import XDSAPI

/// Route configurations for what applications send: one for each shared HTTP port, one for each address whose
/// protocol is detected.
struct OutboundRoutes {
    let scope: ProxyScope
    let plan: OutboundPlan

    func configurations() -> [Envoy_Config_Route_V3_RouteConfiguration] {
        let shared = self.plan.ports.filter(\.value.hasHTTP).keys.sorted().map(self.shared(_:))
        let detected = Set(
            self.plan.addresses.filter(\.value.detectsHTTP).map { Pair(host: $0.value.host, port: $0.key.port) }
        )
        return shared + detected.sorted { ($0.host, $0.port) < ($1.host, $1.port) }.map(self.detected(_:))
    }

    private struct Pair: Hashable {
        var host: HostName
        var port: Port
    }

    /// Routes of a port: a virtual host for each service, and one for all that nobody declared.
    private func shared(_ port: Port) -> Envoy_Config_Route_V3_RouteConfiguration {
        var domains = DomainSet()
        var hosts: [Envoy_Config_Route_V3_VirtualHost] = []
        for service in self.scope.services where service.hasRoutedPort(port) {
            let names = domains.takeFree(self.domains(of: service))
            if names.isEmpty { continue }
            hosts.append(self.virtualHost(service.host, port, names))
        }
        // Hosts that only a VirtualService knows; as in Istio they can be reached on port 80 alone.
        if port.number == 80 {
            for rules in self.scope.routeRules where !rules.http.isEmpty {
                for host in rules.hosts where self.scope.serviceByHost[host] == nil {
                    let names = domains.takeFree([host.text])
                    if names.isEmpty { continue }
                    hosts.append(self.virtualHost(host, port, names))
                }
            }
        }
        return Self.configuration(ResourceName.routes(port: port), hosts + (domains.hasAll ? [] : [self.undeclared]))
    }

    /// Routes of one service behind an address of its own: whatever host a request names, it dialled this one.
    private func detected(_ pair: Pair) -> Envoy_Config_Route_V3_RouteConfiguration {
        Self.configuration(
            ResourceName.routes(pair.host, port: pair.port),
            [self.virtualHost(pair.host, pair.port, ["*"])]
        )
    }

    static func configuration(
        _ name: String,
        _ hosts: [Envoy_Config_Route_V3_VirtualHost]
    ) -> Envoy_Config_Route_V3_RouteConfiguration {
        .with {
            $0.name = name
            $0.virtualHosts = hosts
            // A route to a cluster that does not exist answers 503 and leaves the others alone (facts #42).
            $0.validateClusters = Google_Protobuf_BoolValue(false)
            $0.ignorePortInHostMatching = true
        }
    }

    private func virtualHost(_ host: HostName, _ port: Port, _ names: [String]) -> Envoy_Config_Route_V3_VirtualHost {
        .with {
            $0.name = ResourceName.routes(host, port: port)
            $0.domains = names
            $0.routes = self.routes(host, port)
        }
    }

    private func routes(_ host: HostName, _ port: Port) -> [Envoy_Config_Route_V3_Route] {
        let builder = RouteBuilder(scope: self.scope, port: port)
        if let rules = self.scope.routeRules(for: host), !rules.http.isEmpty {
            return builder.routes(rules.http)
        }
        return [builder.defaultRoute(to: host)]
    }

    /// What becomes of requests to hosts that nobody declared.
    private var undeclared: Envoy_Config_Route_V3_VirtualHost {
        var route = Envoy_Config_Route_V3_Route()
        route.match.prefix = "/"
        switch self.scope.settings.outboundPolicy {
        case .registryOnly:
            route.name = ResourceName.blockAll
            route.directResponse.status = 502
        case .allowAny:
            route.name = ResourceName.allowAny
            route.route.cluster = ResourceName.passthrough
            route.requestHeadersToRemove = RouteBuilder.headersOfTheMesh
            route.route.timeout = Google_Protobuf_Duration(seconds: 0)
        }
        return .with {
            $0.name = route.name
            $0.domains = ["*"]
            $0.routes = [route]
        }
    }

    /// All that a client may write to mean a service: its name, the shorter forms that the search path of this
    /// proxy's pods completes, and its addresses.
    private func domains(of service: Service) -> [String] {
        var names = [service.host.text]
        if service.isKubernetes {
            names.append(service.host.text + ".")
            names += self.shortNames(of: service)
            if service.isHeadless { names.append("*." + service.host.text) }
        }
        for block in service.addresses where block.isSingleAddress {
            switch block.network {
            case .v4: names.append(block.network.description)
            case .v6: names.append("[\(block.network)]")
            }
        }
        return names
    }

    private func shortNames(of service: Service) -> [String] {
        // Short forms exist only for hosts inside the proxy's own DNS domain (facts #10).
        let suffix = "." + self.scope.settings.domainSuffix
        guard service.host.text.hasSuffix(suffix) else { return [] }
        let name = service.source.id.name
        let namespace = service.namespace
        let own = namespace == self.scope.key.namespace ? [name] : []
        return own + ["\(name).\(namespace)", "\(name).\(namespace).svc"]
    }
}

extension Service {
    /// Whether requests to this port are routed by host on the port's shared listener.
    fileprivate func hasRoutedPort(_ port: Port) -> Bool {
        self.ports.contains {
            $0.port == port
                && ($0.applicationProtocol.isHTTP
                    || $0.applicationProtocol == .unknown && self.addresses.isEmpty && !self.isHeadless)
        }
    }
}

/// Domains of one route configuration; Envoy refuses a configuration that has one of them twice.
private struct DomainSet {
    private var taken: Set<String> = []

    var hasAll: Bool { self.taken.contains("*") }

    mutating func takeFree(_ names: [String]) -> [String] {
        names.map { $0.lowercased() }.filter { self.taken.insert($0).inserted }
    }
}
