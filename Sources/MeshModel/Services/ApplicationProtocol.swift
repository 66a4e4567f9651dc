/// What an application speaks on a port, as far as routing has to know.
///
/// Selected from `appProtocol`, else the prefix of the port's name up to the first `-`, else from the
/// ServiceEntry's `protocol`; comparison ignores case (facts 1b "Protocol selection").
package enum ApplicationProtocol: String, Hashable, Sendable, CaseIterable {
    case http, http2, grpc, https, tls, tcp, mongo, mysql, redis, udp
    /// Nothing said: the proxy looks at the first bytes.
    case unknown

    /// The protocol that a name stands for; `nil` for a word that is none.
    package init?(word: String) {
        switch word.lowercased() {
        case "http", "http1", "http/1.1": self = .http
        case "http2", "h2", "h2c", "kubernetes.io/h2c": self = .http2
        case "grpc", "grpc-web": self = .grpc
        case "https": self = .https
        case "tls": self = .tls
        case "tcp": self = .tcp
        case "mongo": self = .mongo
        case "mysql": self = .mysql
        case "redis": self = .redis
        case "udp": self = .udp
        default: return nil
        }
    }

    /// The protocol of a Kubernetes service port.
    ///
    /// Ports that belong to server-first protocols are never sniffed (facts #56): 25, 53, 3306 and 27017.
    package init(appProtocol: String?, portName: String?, port: Port) {
        let words = [appProtocol, portName.map { String($0.prefix { $0 != "-" }) }]
        if let found = words.lazy.compactMap({ $0 }).compactMap(ApplicationProtocol.init(word:)).first {
            self = found
        } else {
            self = [25, 53, 3306, 27017].contains(port.number) ? .tcp : .unknown
        }
    }

    /// Whether requests can be told apart and routed one by one.
    package var isHTTP: Bool {
        switch self {
        case .http, .http2, .grpc: true
        case .https, .tls, .tcp, .mongo, .mysql, .redis, .udp, .unknown: false
        }
    }

    /// Whether nothing but the dialled address tells two services on one port apart.
    package var isToldByAddress: Bool {
        switch self {
        case .tcp, .mongo, .mysql, .redis: true
        case .http, .http2, .grpc, .https, .tls, .udp, .unknown: false
        }
    }
}
