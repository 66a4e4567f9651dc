import AdminServer
import Foundation
import MeshModel
import Testing
import TrafficEngine

@Suite struct MixerTracePageTests {
    private func question(_ query: String) throws -> MixerTraceQuestion {
        try MixerTracePage.question(AdminRequest(method: "GET", target: "/policy/trace?\(query)"))
    }

    private let policy = MixerPolicy(
        checkServer: MixerPolicy.Server(cluster: ClusterID(index: 0), name: "outbound|9091||mixer"),
        reportServer: nil,
        failsOpen: true,
        attributes: ["destination.ip": .bytes([10, 0, 0, 2]), "destination.port": .number(9080)]
    )

    private func page(of question: MixerTraceQuestion, _ loops: [MixerTrace.Loop] = []) throws -> NSDictionary {
        let facts = PolicyFacts(
            source: question.connection.source,
            destination: question.connection.destination,
            peer: question.peer
        )
        let attributes = question.request.withView { RequestAttributes($0, facts, self.policy).all(at: 1_500) }
        let engine = [
            NetworkAddress(ip: .v4(0x0a00_0009), port: 9091), NetworkAddress(ip: .v4(0x0a00_000a), port: 9091),
        ]
        let trace = MixerTrace(
            listener: "virtualInbound",
            policy: self.policy,
            attributes: attributes,
            charges: [QuotaCharge(quota: "requests", amount: 2)],
            endpoints: engine,
            loops: loops
        )
        let text = MixerTracePage.json(trace, faults: [engine[1]: "refused"])
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary)
    }

    @Test("A request in a query is read as the proxy would receive it")
    func reads() throws {
        let found = try self.question(
            "destination=10.0.0.2%3A9080&source=10.0.0.1&peer=spiffe%3A%2F%2Ftd%2Fns%2Fa%2Fsa%2Fb&method=POST"
                + "&target=%2Fx%3Fk%3D1&authority=web&headers=X-User%3A%20ann%0Ay%3A%20a%3Ab&protocols=istio,h2&tls=true"
        )
        #expect(found.connection.destination.description == "10.0.0.2:9080")
        #expect(found.connection.source == .v4(0x0a00_0001))
        #expect(found.connection.isTLS && found.connection.applicationProtocols == ["istio", "h2"])
        #expect(found.peer?.uris == ["spiffe://td/ns/a/sa/b"])
        let page = try self.page(of: found)
        #expect(page["connection"] as? Bool == false)
        let attributes = try #require(page["attributes"] as? NSDictionary)
        #expect(attributes["request.method"] as? String == "POST")
        #expect(attributes["request.path"] as? String == "/x?k=1")
        #expect(attributes["source.ip"] as? String == "10.0.0.1")
        #expect(attributes["source.namespace"] as? String == "a")
        #expect(attributes["destination.ip"] as? String == "10.0.0.2")
        #expect(attributes["destination.port"] as? Int == 9080)
        #expect(attributes["request.time"] as? String == "1970-01-01T00:00:01Z")
        #expect((attributes["request.headers"] as? [String: String])?["x-user"] == "ann")
        #expect((attributes["request.headers"] as? [String: String])?["y"] == "a:b")
    }

    @Test(
        "What is no request is refused",
        arguments: [
            "", "destination=10.0.0.2", "destination=web:80", "destination=10.0.0.2:70000",
            "destination=1.1.1.1:80&source=x", "destination=1.1.1.1:80&method=G%20T",
            "destination=1.1.1.1:80&headers=nothing", "destination=1.1.1.1:80&headers=a%20b%3Ac",
            "destination=1.1.1.1:80&authority=a%0D%0Ab", "destination=1.1.1.1:80&colour=red",
        ]
    )
    func refuses(_ query: String) {
        #expect(throws: MixerTracePage.Mistake.self) { try self.question(query) }
    }

    @Test("What was kept is told with its reasons, and endpoints with theirs")
    func kept() throws {
        let user = CheckReference(name: "request.headers", key: "user", condition: .absent)
        var verdict = CheckVerdict(MixerStatus(code: 7, message: "say \"no\""))
        verdict.directStatus = 418
        let page = try self.page(
            of: self.question("destination=10.0.0.2:9080"),
            [
                MixerTrace.Loop(findings: [
                    CheckFinding(references: [user], outcome: .other(user)),
                    CheckFinding(references: [], outcome: .holds(verdict, left: .milliseconds(1250), usesLeft: 3)),
                ]),
                MixerTrace.Loop(
                    quotas: [
                        QuotaFinding(
                            charge: QuotaCharge(quota: "requests", amount: 2),
                            left: 4,
                            validFor: .seconds(9),
                            pausedFor: .zero
                        )
                    ]
                ),
            ]
        )
        #expect(page["checks"] as? String == "outbound|9091||mixer" && page["reports"] is NSNull)
        #expect(page["failsOpen"] as? Bool == true)
        let endpoints = try #require(page["endpoints"] as? [[String: String]])
        #expect(endpoints == [["address": "10.0.0.9:9091"], ["address": "10.0.0.10:9091", "fault": "refused"]])
        let loops = try #require(page["loops"] as? [NSDictionary])
        let findings = try #require(loops[0]["findings"] as? [NSDictionary])
        #expect(findings[0]["outcome"] as? String == "other")
        #expect((findings[0]["differs"] as? [String: String])?["condition"] == "ABSENCE")
        #expect(findings[1]["leftSeconds"] as? Double == 1.25 && findings[1]["usesLeft"] as? Int == 3)
        #expect(findings[1]["message"] as? String == "say \"no\"")
        #expect((loops[1]["quotas"] as? [NSDictionary])?[0]["left"] as? Int == 4)
    }
}
