package import MeshModel

/// Names of resources; Istio's throughout, so that people and their tools find what they know.
package enum ResourceName {
    package static let virtualOutbound = "virtualOutbound"
    package static let virtualInbound = "virtualInbound"
    /// A cluster without endpoints: what is sent there was not allowed.
    package static let blackHole = "BlackHoleCluster"
    /// To the address that the application dialled.
    package static let passthrough = "PassthroughCluster"
    /// To the port of this workload that the client dialled, though no service declares it.
    package static let inboundPassthrough = "InboundPassthroughCluster"
    /// The virtual host of requests to hosts that nobody declared, when those are blocked.
    package static let blockAll = "block_all"
    /// The same when those are let through.
    package static let allowAny = "allow_any"

    package static func outboundCluster(_ host: HostName, port: Port, subset: String = "") -> String {
        "outbound|\(port)|\(subset)|\(host)"
    }

    package static func inboundCluster(port: Port) -> String { "inbound|\(port)||" }

    /// The listener of one dialled address.
    package static func listener(_ address: IPAddress, port: Port) -> String { "\(address)_\(port)" }

    /// The listener of all addresses without one of their own.
    package static func listener(port: Port) -> String { "0.0.0.0_\(port)" }

    /// Routes of the shared listener of a port.
    package static func routes(port: Port) -> String { "\(port)" }

    /// Routes, and the virtual host, of one service.
    package static func routes(_ host: HostName, port: Port) -> String { "\(host):\(port)" }

    /// Routes of a gateway's plain HTTP port; `port` is the one that is bound.
    package static func gatewayRoutes(port: Port, bind: IPAddress?) -> String {
        "http.\(port)" + (bind.map { ".\($0)" } ?? "")
    }

    /// Routes of a gateway's server that takes TLS off; `port` is the one that the Gateway names.
    package static func gatewayRoutes(port: Port, portName: String, gateway: ObjectID) -> String {
        "https.\(port).\(portName).\(gateway.name).\(gateway.namespace)"
    }

    /// The server name by which gateways of other networks ask for a cluster, and that cluster's name.
    package static func serverNameCluster(_ host: HostName, port: Port, subset: String = "") -> String {
        "outbound_.\(port)_.\(subset)_.\(host)"
    }
}
