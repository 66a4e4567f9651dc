import MeshModel
import Testing
import TrafficEngine

@Suite struct EgressGrantTests {
    private static let hosts = RegistryNames(
        [
            "outbound|443||edition.cnn.com", "outbound|80|v1|web.default.svc.cluster.local", "outbound|3306||*.db.test",
            "inbound|80||", "BlackHoleCluster", "outbound|80|other.test",
        ].enumerated().map { index, name in
            Cluster(id: ClusterID(index: index), name: name, discovery: .endpoints([]))
        }
    )

    private static func grant(
        _ names: [String],
        to address: String = "10.0.0.1",
        literals: [String] = [],
        registry: RegistryNames? = Self.hosts
    ) throws -> EgressGrant {
        var binding = DNSBoundEgress()
        binding.mode = .enforce
        binding.literals = literals.compactMap { CIDR($0) }
        return EgressGrant(binding, to: try #require(IPAddress(address)), names: names, registry: registry)
    }

    @Test(
        "Only outbound clusters of services are names of the registry; a star stands for all below",
        arguments: [
            ("edition.cnn.com", true), ("web.default.svc.cluster.local", true), ("a.db.test", true),
            ("a.b.db.test", true), ("db.test", false), ("cnn.com", false), ("other.test", false), ("", false),
        ]
    )
    func registry(_ name: String, _ isKnown: Bool) { #expect(Self.hosts.contains(name) == isKnown) }

    @Test(
        "A connection needs a name of the registry that gave its address, and TLS must ask for one that did",
        arguments: [
            (["edition.cnn.com"], nil, nil), (["edition.cnn.com"], "edition.cnn.com", nil),
            (["edition.cnn.com"], "a.db.test", EndReason.blockedUnresolvedName),
            (["evil.test"], nil, .blockedUnresolvedAddress), ([], nil, .blockedUnresolvedAddress),
            ([], "edition.cnn.com", .blockedUnresolvedAddress),
            // Hosts that share a front.
            (["evil.test", "edition.cnn.com"], "edition.cnn.com", nil),
            (["evil.test", "edition.cnn.com"], "a.db.test", .blockedUnresolvedName),
        ] as [([String], String?, EndReason?)]
    )
    func connections(_ names: [String], _ serverName: String?, _ fault: EndReason?) throws {
        #expect(try Self.grant(names).connectionFault(serverName: serverName) == fault)
    }

    @Test(
        "A request's host must be one that gave the address, in any form, or a short name of the same service",
        arguments: [
            ("web.default.svc.cluster.local", nil), ("WEB.default.svc.cluster.local.:80", nil), ("10.0.0.1:80", nil),
            ("10.0.0.1", nil), ("edition.cnn.com", EndReason.blockedUnresolvedName),
            ("10.0.0.2", .blockedUnresolvedName), ("", .blockedUnresolvedName),
            ("web.default.svc.cluster.local@evil.test", .blockedUnresolvedName),
        ] as [(String, EndReason?)]
    )
    func requests(_ host: String, _ fault: EndReason?) throws {
        let grant = try Self.grant(["web.default.svc.cluster.local"])
        #expect(grant.requestFault(authority: Array(host.utf8), service: nil) == fault)
    }

    @Test("A short name is taken for the service that its route belongs to")
    func shortNames() throws {
        let grant = try Self.grant(["web.default.svc.cluster.local"])

        #expect(grant.requestFault(authority: Array("web".utf8), service: "web.default.svc.cluster.local") == nil)
        #expect(
            grant.requestFault(authority: Array("cnn".utf8), service: "edition.cnn.com") == .blockedUnresolvedName
        )
    }

    @Test("What is below a star is given by the star, and not what it stands on")
    func wildcards() throws {
        let grant = try Self.grant(["*.db.test"])

        #expect(grant.connectionFault(serverName: "a.db.test") == nil)
        #expect(grant.connectionFault(serverName: "db.test") == .blockedUnresolvedName)
        #expect(try Self.grant(["*.other.test"]).connectionFault(serverName: nil) == .blockedUnresolvedAddress)
    }

    @Test("An address in brackets is the address")
    func six() throws {
        let grant = try Self.grant(["edition.cnn.com"], to: "2001:db8::1")

        #expect(grant.requestFault(authority: Array("[2001:db8::1]:80".utf8), service: nil) == nil)
        #expect(grant.requestFault(authority: Array("[2001:db8::2]".utf8), service: nil) == .blockedUnresolvedName)
    }

    @Test("An address that may be dialled as it is needs no name, and binds none")
    func literals() throws {
        let grant = try Self.grant([], literals: ["10.0.0.0/24"])

        #expect(grant.connectionFault(serverName: "edition.cnn.com") == nil)
        #expect(grant.requestFault(authority: Array("edition.cnn.com".utf8), service: nil) == nil)
    }

    @Test("Where every host may be reached, any name that was looked up will do, but not none")
    func open() throws {
        #expect(try Self.grant(["any.test"], registry: nil).connectionFault(serverName: nil) == nil)
        #expect(try Self.grant([], registry: nil).connectionFault(serverName: nil) == .blockedUnresolvedAddress)
    }
}
