package import ProxyRuntime
internal import TrafficEngine

/// Clusters and their endpoints as Envoy's `/clusters` prints them.
package enum ClustersText {
    package static func plain(_ clusters: [String: ClusterStatistics]) -> String {
        var text = ""
        for (name, cluster) in clusters.sorted(by: { $0.key < $1.key }) {
            text += "\(name)::observability_name::\(name)\n"
            for endpoint in cluster.endpoints {
                let prefix = "\(name)::\(endpoint.address)::"
                for number in endpoint.counts.all { text += "\(prefix)\(number.name)::\(number.value)\n" }
                text += "\(prefix)health_flags::\(endpoint.isHealthy ? "healthy" : "/failed_eds_health")\n"
                text += "\(prefix)weight::\(endpoint.weight)\n"
            }
        }
        return text
    }

    package static func json(_ clusters: [String: ClusterStatistics]) -> String {
        let statuses = clusters.sorted { $0.key < $1.key }.map { name, cluster in
            let hosts = cluster.endpoints.map(Self.host).joined(separator: ",")
            return "{\"name\":\(JSONText.string(name)),\"host_statuses\":[\(hosts)]}"
        }
        return "{\"cluster_statuses\":[\(statuses.joined(separator: ","))]}\n"
    }

    private static func host(_ endpoint: EndpointStatistics) -> String {
        let numbers = endpoint.counts.all.map { number in
            let type = number.kind == .gauge ? ",\"type\":\"GAUGE\"" : ""
            return "{\"name\":\(JSONText.string(number.name)),\"value\":\"\(number.value)\"\(type)}"
        }
        let health = endpoint.isHealthy ? "HEALTHY" : "UNHEALTHY"
        return "{\"address\":\(JSONText.address(endpoint.address)),\"stats\":[\(numbers.joined(separator: ","))],"
            + "\"health_status\":{\"eds_health_status\":\"\(health)\"},\"weight\":\(endpoint.weight)}"
    }
}

extension JSONText {
    static func address(_ address: NetworkAddress) -> String {
        "{\"socket_address\":{\"address\":\"\(address.ip)\",\"port_value\":\(address.port)}}"
    }
}
