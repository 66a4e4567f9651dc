internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// An endpoint and what it is marked with, by which a cluster chooses how to speak to it.
struct ListedEndpoint: Hashable, Sendable {
    var endpoint: ClusterEndpoint
    var mark: Google_Protobuf_Struct
}

/// A name and what it is marked with.
struct ListedName: Hashable, Sendable {
    var name: DNSEndpoint
    var mark: Google_Protobuf_Struct
}

/// Endpoint lists.
enum EndpointBuilder {
    /// The addresses of an assignment, with priorities and localities.
    static func endpoints(
        _ message: Envoy_Config_Endpoint_V3_ClusterLoadAssignment,
        at path: String,
        _ findings: inout Findings
    ) -> [ListedEndpoint] {
        var endpoints: [ListedEndpoint] = []
        for (index, locality) in message.endpoints.enumerated() {
            for (number, member) in locality.lbEndpoints.enumerated() {
                let path = "\(joined(path, "endpoints"))[\(index)].lb_endpoints[\(number)].endpoint.address"
                guard let address = AddressBuilder.address(member.endpoint.address, at: path, &findings) else {
                    continue
                }
                let endpoint = ClusterEndpoint(
                    address: address,
                    weight: Self.weight(member),
                    isHealthy: Self.isHealthy(member.healthStatus),
                    priority: locality.priority,
                    locality: index,
                    localityWeight: locality.loadBalancingWeight.value,
                    hostname: member.endpoint.hostname.isEmpty ? nil : member.endpoint.hostname
                )
                endpoints.append(ListedEndpoint(endpoint: endpoint, mark: Self.mark(member, locality)))
            }
        }
        return endpoints
    }

    /// The names of an assignment.
    static func names(
        _ message: Envoy_Config_Endpoint_V3_ClusterLoadAssignment,
        at path: String,
        _ findings: inout Findings
    ) -> [ListedName] {
        var names: [ListedName] = []
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
                let name = DNSEndpoint(
                    host: host,
                    port: port,
                    weight: Self.weight(member),
                    priority: locality.priority,
                    locality: index,
                    localityWeight: locality.loadBalancingWeight.value
                )
                names.append(ListedName(name: name, mark: Self.mark(member, locality)))
            }
        }
        return names
    }

    /// The endpoint's own mark, else its locality's.
    private static func mark(
        _ member: Envoy_Config_Endpoint_V3_LbEndpoint,
        _ locality: Envoy_Config_Endpoint_V3_LocalityLbEndpoints
    ) -> Google_Protobuf_Struct {
        let key = "envoy.transport_socket_match"
        return member.metadata.filterMetadata[key] ?? locality.metadata.filterMetadata[key] ?? Google_Protobuf_Struct()
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
