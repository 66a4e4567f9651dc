import MeshModel
import MeshSubscribe
import MeshTranslate
import SwiftProtobuf
import Testing
import TrafficEngine

/// A workload `shop/web` with an HTTP port 80 and a TCP port 90, whose policies go the whole way: translated, sent as
/// bytes, read, compiled and asked.
struct PolicyMesh {
    private(set) var snapshot = MeshSnapshot(revision: 1)

    static let client = "spiffe://cluster.local/ns/shop/sa/client"

    init() throws {
        let http = ServicePort(name: "http", port: try #require(Port(80)), applicationProtocol: .http)
        let tcp = ServicePort(name: "tcp", port: try #require(Port(90)), applicationProtocol: .tcp)
        let service = Service(
            host: try #require(HostName("web.shop.svc.cluster.local")),
            ports: [http, tcp],
            source: ObjectReference(kind: "Service", id: ObjectID(namespace: "shop", name: "web")),
            createdAt: 1
        )
        self.snapshot.services = [service]
        self.snapshot.endpoints[ServiceKey(service)] = [http, tcp].map {
            Endpoint(
                address: .ip(.v4(0x0ad5_0001)),
                port: $0.port,
                servicePortName: $0.name,
                labels: [:],
                workload: ObjectID(namespace: "shop", name: "web-1")
            )
        }
    }

    mutating func edit(_ change: (inout MeshSnapshot) -> Void) { change(&self.snapshot) }

    /// Adds an AuthorizationPolicy.
    mutating func policy(
        _ action: AuthorizationRules.Action,
        namespace: String = "shop",
        name: String = "policy",
        selector: [String: String] = [:],
        isDryRun: Bool = false,
        _ rules: AuthorizationRules.Rule...
    ) {
        self.snapshot.authorizationRules.append(
            AuthorizationRules(
                source: ObjectReference(
                    kind: "AuthorizationPolicy",
                    id: ObjectID(namespace: namespace, name: name)
                ),
                selector: selector,
                action: action,
                rules: rules,
                isDryRun: isDryRun
            )
        )
    }

    /// The workload's proxy state, out of bytes.
    func listener(labels: [String: String] = ["app": "web"]) throws -> Listener {
        var proxy = ProxyKey(
            role: .sidecar,
            address: .v4(0x0ad5_0001),
            workload: ObjectID(namespace: "shop", name: "web-1"),
            dnsDomain: "shop.svc.cluster.local",
            labels: labels
        )
        proxy.asksPolicyEngine = true
        var builder = StateBuilder()
        let messages = Translator.inbound(of: proxy, in: self.snapshot).listeners
        let errors = builder.setListeners(try messages.map(Messages.any), version: "1")
        #expect(errors == [])
        return try #require(builder.makeState().listeners.first { $0.name == "virtualInbound" })
    }

    func http(labels: [String: String] = ["app": "web"]) throws -> [HTTPPolicy] {
        try self.manager(labels: labels).policies
    }

    /// What serves port 80.
    func manager(labels: [String: String] = ["app": "web"]) throws -> HTTPConnectionManager {
        for chain in try self.listener(labels: labels).chains where chain.match.destinationPort == 80 {
            if case .http(let manager) = chain.terminal { return manager }
        }
        throw Missing()
    }

    func tcp() throws -> [ConnectionPolicy] {
        let chains = try self.listener().chains
        return try #require(chains.first { $0.match.destinationPort == 90 }).connectionPolicies
    }

    struct Missing: Error {}

    /// What becomes of a request to port 80.
    func ask(
        _ method: String = "GET",
        _ path: String = "/",
        host: String = "web",
        headers: [String: String] = [:],
        peer: String? = Self.client,
        source: String = "10.213.0.9",
        remote: String? = nil,
        claims: ClaimValue? = nil
    ) throws -> PolicyAnswer {
        let facts = try Self.facts(peer, source, remote, port: 80)
        let policies = try self.http()
        var text: [UInt8] = []
        func range(_ part: String) -> ByteRange {
            let start = text.count
            text += Array(part.utf8)
            return ByteRange(start: UInt32(start), count: UInt32(text.count - start))
        }
        let (method, target, authority) = (range(method), range(path), range(host))
        let fields = headers.map { HeaderField(name: range($0.key), value: range($0.value)) }
        return text.withUnsafeBytes { bytes in
            fields.withUnsafeBufferPointer { fields in
                let view = RequestView(
                    bytes: bytes,
                    method: method,
                    target: target,
                    authority: authority,
                    headers: fields
                )
                return PolicyAnswer(of: policies, view, facts, claims: claims)
            }
        }
    }

    /// What becomes of a connection to port 90.
    func connect(
        peer: String? = Self.client,
        source: String = "10.213.0.9",
        serverName: String? = nil
    ) throws
        -> PolicyAnswer.Verdict
    {
        var facts = try Self.facts(peer, source, nil, port: 90)
        facts.serverName = serverName
        return PolicyAnswer(of: try self.tcp(), facts).verdict
    }

    private static func facts(_ peer: String?, _ source: String, _ remote: String?, port: UInt16) throws -> PolicyFacts
    {
        let address = try #require(IPAddress(source))
        return PolicyFacts(
            source: address,
            remote: remote.flatMap { IPAddress($0) },
            destination: NetworkAddress(ip: .v4(0x0ad5_0001), port: port),
            peer: peer.map { PeerIdentity(uris: [$0]) }
        )
    }
}

/// A rule with one source.
func from(_ change: (inout AuthorizationRules.Source) -> Void) -> AuthorizationRules.Rule {
    var rule = AuthorizationRules.Rule()
    var source = AuthorizationRules.Source()
    change(&source)
    rule.sources = [source]
    return rule
}

/// A rule with one operation.
func to(_ change: (inout AuthorizationRules.Operation) -> Void) -> AuthorizationRules.Rule {
    var rule = AuthorizationRules.Rule()
    var operation = AuthorizationRules.Operation()
    change(&operation)
    rule.operations = [operation]
    return rule
}

/// A rule with one condition.
func when(_ key: String, _ values: String..., not excluded: [String] = []) -> AuthorizationRules.Rule {
    var rule = AuthorizationRules.Rule()
    rule.conditions = [AuthorizationRules.Condition(key: key, values: values, notValues: excluded)]
    return rule
}
