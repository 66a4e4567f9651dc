import AdminServer
import Foundation
import ProxyRuntime
import Testing
import TrafficEngine

@Suite struct CertificatesTests {
    private let line = CertificateLine(
        serial: "0a1b",
        uris: ["spiffe://cluster.local/ns/default/sa/sleep"],
        dnsNames: ["a\"b"],
        validFrom: 1_700_000_000,
        validUntil: 1_700_172_900
    )

    private func routes() -> AdminRoutes {
        var sources = AdminSources(
            facts: ServerFacts(version: "1", node: "n", mode: "sidecar", concurrency: 1),
            state: { .live },
            statistics: { ProxyStatistics() },
            listeners: { [] },
            configDump: { "{}" },
            logLevel: { "info" },
            setLogLevel: { _ in true },
            quit: {}
        )
        let line = self.line
        sources.certificates = { [CertificateSet(roots: [], chain: [line])] }
        sources.configurationSource = { "disk, stored 2023-11-14T22:13:20Z" }
        return AdminRoutes(sources)
    }

    @Test("Certificates are shown in Envoy's form")
    func envoysForm() throws {
        struct Shown: Decodable {
            struct Line: Decodable {
                var serial_number: String
                var subject_alt_names: [[String: String]]
                var days_until_expiration: String
                var valid_from: String
                var expiration_time: String
            }
            struct Group: Decodable {
                var ca_cert: [Line]
                var cert_chain: [Line]
            }
            var certificates: [Group]
        }

        let text = CertificatesText.json(
            [CertificateSet(roots: [self.line], chain: [self.line]), CertificateSet(roots: [], chain: [])],
            now: 1_700_000_000
        )

        let shown = try JSONDecoder().decode(Shown.self, from: Data(text.utf8))
        #expect(shown.certificates.count == 2)
        let line = try #require(shown.certificates.first?.cert_chain.first)
        #expect(line.serial_number == "0a1b")
        #expect(line.subject_alt_names == [["uri": "spiffe://cluster.local/ns/default/sa/sleep"], ["dns": "a\"b"]])
        #expect(line.days_until_expiration == "2")
        #expect(line.valid_from == "2023-11-14T22:13:20Z")
        #expect(line.expiration_time == "2023-11-16T22:15:00Z")
        #expect(shown.certificates.first?.ca_cert.count == 1)
    }

    @Test("A certificate that has ended has 0 days left")
    func ended() {
        let text = CertificatesText.json([CertificateSet(roots: [], chain: [self.line])], now: 1_800_000_000)

        #expect(text.contains("\"days_until_expiration\": \"0\""))
    }

    @Test("Certificates are for loopback only, and the server's page says where the configuration came from")
    func paths() async {
        let routes = self.routes()
        let certificates = AdminRequest(method: "GET", target: "/certs")
        let info = AdminRequest(method: "GET", target: "/server_info")

        #expect(await routes.respond(to: certificates, in: .all).body.contains("0a1b"))
        #expect(await routes.respond(to: certificates, in: .prometheus).status == 404)
        #expect(await routes.respond(to: certificates, in: .health).status == 404)
        let source = "\"configuration_source\": \"disk, stored 2023-11-14T22:13:20Z\""
        #expect(await routes.respond(to: info, in: .all).body.contains(source))
    }
}
