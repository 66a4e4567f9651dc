internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Endpoint lists.
enum EndpointBuilder {
    /// The addresses of an assignment: those of the first priority that has a healthy one.
    static func endpoints(
        _ message: Envoy_Config_Endpoint_V3_ClusterLoadAssignment,
        at path: String,
        _ findings: inout Findings
    ) -> [ClusterEndpoint] {
        var byPriority: [UInt32: [ClusterEndpoint]] = [:]
        for (index, locality) in message.endpoints.enumerated() {
            for (number, member) in locality.lbEndpoints.enumerated() {
                let path = "\(joined(path, "endpoints"))[\(index)].lb_endpoints[\(number)].endpoint.address"
                guard let address = AddressBuilder.address(member.endpoint.address, at: path, &findings) else {
                    continue
                }
                let endpoint = ClusterEndpoint(
                    address: address,
                    weight: Self.weight(member),
                    isHealthy: Self.isHealthy(member.healthStatus)
                )
                byPriority[locality.priority, default: []].append(endpoint)
            }
        }
        let groups = byPriority.sorted { $0.key < $1.key }.map(\.value)
        return groups.first { $0.contains(where: \.isHealthy) } ?? groups.first ?? []
    }

    /// The names of an assignment.
    static func names(
        _ message: Envoy_Config_Endpoint_V3_ClusterLoadAssignment,
        at path: String,
        _ findings: inout Findings
    ) -> [DNSEndpoint] {
        var names: [DNSEndpoint] = []
        for (index, locality) in message.endpoints.enumerated() {
            for (number, member) in locality.lbEndpoints.enumerated() {
                let path = "\(joined(path, "endpoints"))[\(index)].lb_endpoints[\(number)].endpoint.address"
                guard let (host, port) = AddressBuilder.hostAndPort(member.endpoint.address, at: path, &findings) else {
                    continue
                }
                guard IPAddress(host) != nil || HostName(host) != nil else {
                    findings.add("\(path).socket_address.address", "`\(host)` is neither a name nor an address")
                    continue
                }
                names.append(DNSEndpoint(host: host, port: port, weight: Self.weight(member)))
            }
        }
        return names
    }

    private static func weight(_ member: Envoy_Config_Endpoint_V3_LbEndpoint) -> UInt32 {
        member.hasLoadBalancingWeight ? max(1, member.loadBalancingWeight.value) : 1
    }

    private static func isHealthy(_ status: Envoy_Config_Core_V3_HealthStatus) -> Bool {
        switch status {
        case .unknown, .healthy, .degraded: true
        case .unhealthy, .draining, .timeout, .UNRECOGNIZED: false
        }
    }
}
