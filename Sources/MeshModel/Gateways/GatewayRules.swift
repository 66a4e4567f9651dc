/// A Gateway object, parsed: what the gateway proxies that it selects listen on.
package struct GatewayRules: Hashable, Sendable {
    /// What is spoken on a server's port (Gateway `port.protocol`).
    package enum ServerProtocol: String, Hashable, Sendable {
        case http, https, grpc, http2, mongo, tcp, tls

        /// Whether requests are routed, once TLS is taken off.
        package var isHTTP: Bool {
            switch self {
            case .http, .https, .grpc, .http2: true
            case .mongo, .tcp, .tls: false
            }
        }
    }

    /// A host of a server; `namespace` limits whose VirtualServices may bind to it.
    package struct Host: Hashable, Sendable {
        package enum Owner: Hashable, Sendable {
            case any
            /// `./host` is resolved to the Gateway's namespace at the edge.
            case namespace(String)
        }

        package var owner: Owner
        package var name: HostName

        package init(owner: Owner = .any, name: HostName) {
            self.owner = owner
            self.name = name
        }
    }

    package struct Server: Hashable, Sendable {
        package var name: String
        package var port: Port
        package var portName: String
        package var serverProtocol: ServerProtocol
        /// Listen on this address only.
        package var bind: IPAddress?
        package var hosts: [Host]
        package var tls: ServerTLSSettings?
        /// Answer plain HTTP with a 301 to HTTPS.
        package var redirectsToHTTPS: Bool

        package init(
            name: String = "",
            port: Port,
            portName: String = "",
            serverProtocol: ServerProtocol,
            bind: IPAddress? = nil,
            hosts: [Host],
            tls: ServerTLSSettings? = nil,
            redirectsToHTTPS: Bool = false
        ) {
            self.name = name
            self.port = port
            self.portName = portName
            self.serverProtocol = serverProtocol
            self.bind = bind
            self.hosts = hosts
            self.tls = tls
            self.redirectsToHTTPS = redirectsToHTTPS
        }
    }

    package var source: ObjectReference
    package var createdAt: Int64
    /// Labels of the gateway pods, in any namespace; empty: all gateway pods.
    package var selector: [String: String]
    package var servers: [Server]

    package init(
        source: ObjectReference,
        createdAt: Int64 = 0,
        selector: [String: String] = [:],
        servers: [Server] = []
    ) {
        self.source = source
        self.createdAt = createdAt
        self.selector = selector
        self.servers = servers
    }

    /// As `VirtualService.gateways` names it once resolved: `namespace/name`.
    package var qualifiedName: String { self.source.id.description }
}
