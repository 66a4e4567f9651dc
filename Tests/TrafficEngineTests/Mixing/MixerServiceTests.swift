import MeshModel
import Testing
import TrafficEngine

/// Which service a request is for.
@Suite struct MixerServiceTests {
    private static func service(_ name: String, isChargedByClients: Bool = false) -> MixerService {
        let host = name.contains(".") ? name : "\(name).shop.svc.cluster.local"
        return MixerService(
            host: host,
            attributes: ["destination.service.name": .text(name)],
            isChargedByClients: isChargedByClients
        )
    }

    private static let quota = QuotaRule(matches: [], charges: [QuotaCharge(quota: "requests", amount: 1)])

    private func policy(_ services: [MixerServiceRules], _ side: MixerPolicy.Side = .inbound) -> MixerPolicy {
        MixerPolicy(side: side, checkServer: nil, reportServer: nil, failsOpen: false, services: services)
    }

    private func name(_ destination: MixerDestination) -> MixerValue? {
        destination.service?.attributes["destination.service.name"]
    }

    @Test(
        "Of several services that lead to a port the request's host says which is meant",
        arguments: [
            ("two", "two"), ("TWO.shop", "two"), ("two.shop.svc:9080", "two"), ("two.shop.svc.cluster.local.", "two"),
            ("two.shop.svc.cluster.local:80", "two"), ("out.test", "out.test"), ("one.shop", "one"),
            // What is nobody's name means the oldest.
            ("", "one"), ("twoo", "one"), ("two.other", "one"), ("two.shop.svc.cluster", "one"), ("10.0.0.1:80", "one"),
            ("[::1]", "one"), ("test", "one"), ("out", "one"), (":", "one"), (".", "one"),
        ]
    )
    func host(_ host: String, _ expected: String) {
        let rules = ["one", "two", "out.test"].map {
            MixerServiceRules(host: $0, service: Self.service($0), quotas: $0 == "two" ? [Self.quota] : [])
        }
        var request = MixedRequest()
        request.text.authority = host
        let destination = request.text.withView { self.policy(rules).destination(of: $0) }
        #expect(self.name(destination) == .text(expected))
        #expect(destination.quotas.count == (expected == "two" ? 1 : 0))
    }

    @Test("Without services nothing is known, and nothing charged")
    func none() {
        let destination = MixedRequest().text.withView { self.policy([]).destination(of: $0) }
        #expect(destination.service == nil && destination.quotas.isEmpty)
    }

    @Test("On the way out quotas are those of the host, of patterns that cover it, and of no service of the mesh")
    func outbound() {
        let rules = ["out.test", "*.test", "*", "other.test"].map { MixerServiceRules(host: $0, quotas: [Self.quota]) }
        let policy = self.policy(rules, .outbound)
        #expect(policy.destination(of: Self.service("Out.test", isChargedByClients: true)).quotas.count == 3)
        #expect(policy.destination(of: Self.service("web.com", isChargedByClients: true)).quotas.count == 1)
        #expect(policy.destination(of: Self.service("one")).quotas.isEmpty)
        #expect(policy.destination(of: nil).service == nil)
    }

    @Test("An answer about one service is none about another")
    func answers() {
        var cache = CheckCache()
        var request = MixedRequest()
        request.service = Self.service("one")
        let reference = CheckReference(name: "destination.service.name", condition: .exact)
        request.withAttributes { cache.keep(.test(code: 7, [reference]), for: $0, now: .zero) }
        #expect(request.withAttributes { cache.verdict(for: $0, now: .zero) } != nil)
        request.service = Self.service("two")
        #expect(request.withAttributes { cache.verdict(for: $0, now: .zero) } == nil)
        request.service = nil
        #expect(request.withAttributes { cache.verdict(for: $0, now: .zero) } == nil)
    }

    @Test("A report tells the service, and where a request went that left")
    func report() {
        let request = MixedRequest()
        let owned = request.text.withView { OwnedRequest($0) }
        var report = MixerReport(.request(owned), request.facts, request.policy, .request(RequestOutcome()))
        report.service = Self.service("one")
        report.upstream = NetworkAddress(ip: .v4(0x0a00_0009), port: 81)
        #expect(report.attributes["destination.service.name"] == .text("one"))
        #expect(report.attributes["destination.ip"] == .bytes([10, 0, 0, 9]))
        #expect(report.attributes["destination.port"] == .number(81))
    }
}
