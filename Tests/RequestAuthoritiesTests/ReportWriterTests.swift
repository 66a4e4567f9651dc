import MeshModel
import MixerAPI
import RequestAuthorities
import SwiftProtobuf
import Testing
import TrafficEngine

/// Reports as the engine reads them: each must say what the report itself says, however it was written.
@Suite struct ReportWriterTests {
    private static let server = MixerPolicy.Server(cluster: ClusterID(index: 0), name: "mixer")
    private static let policy = MixerPolicy(
        checkServer: nil,
        reportServer: server,
        failsOpen: false,
        attributes: [
            "destination.namespace": .text("shop"), "destination.ip": .bytes([10, 0, 0, 9]), "load": .fraction(0.25),
            "is.safe": .truth(true), "since": .moment(milliseconds: 1_700_000_000_250),
            "age": .duration(.milliseconds(1250)),
            "destination.labels": .map(["app": "web", "version": "v1"]), "destination.port": .number(9080),
        ]
    )
    private static let service = MixerService(
        host: "web.shop.svc.cluster.local",
        attributes: [
            "destination.service.name": .text("web"), "destination.service.host": .text("web.shop.svc.cluster.local"),
        ]
    )

    private static func request(_ target: String, _ headers: [(String, String)] = []) -> OwnedRequest {
        var bytes = Array("GET\(target)x.test".utf8)
        var fields: [HeaderField] = []
        for (name, value) in headers {
            let start = UInt32(bytes.count)
            bytes += Array((name + value).utf8)
            let end = start + UInt32(name.utf8.count)
            fields.append(
                HeaderField(
                    name: ByteRange(start: start, count: end - start),
                    value: ByteRange(start: end, count: UInt32(value.utf8.count))
                )
            )
        }
        return bytes.withUnsafeBytes { raw in
            fields.withUnsafeBufferPointer { fields in
                OwnedRequest(
                    RequestView(
                        bytes: raw,
                        method: ByteRange(start: 0, count: 3),
                        target: ByteRange(start: 3, count: UInt32(target.utf8.count)),
                        authority: ByteRange(start: 3 + UInt32(target.utf8.count), count: 6),
                        headers: fields
                    )
                )
            }
        }
    }

    private static func facts(_ peer: String? = nil) -> PolicyFacts {
        PolicyFacts(
            source: .v4(0x0a00_0001),
            destination: NetworkAddress(ip: .v4(0x0a00_0002), port: 80),
            serverName: peer == nil ? nil : "web.shop",
            peer: peer.map { PeerIdentity(uris: [$0]) }
        )
    }

    private static func report(
        _ target: String,
        _ headers: [(String, String)] = [],
        status: Int = 200,
        peer: String? = nil,
        policy: MixerPolicy = Self.policy,
        service: MixerService? = Self.service
    ) -> MixerReport {
        var outcome = RequestOutcome()
        (outcome.status, outcome.bytesReceived, outcome.bytesSent, outcome.bytesWritten) = (status, 3, 84, 200)
        var report = MixerReport(.request(Self.request(target, headers)), Self.facts(peer), policy, .request(outcome))
        report.service = service
        report.startMilliseconds = 1_764_500_000_123 + Int64(target.utf8.count)
        report.duration = .microseconds(1700 + status)
        return report
    }

    /// What a server reads, entry by entry.
    private static func entries(_ request: Istio_Mixer_V1_ReportRequest) -> [[String: MixerValue]] {
        var entries: [[String: MixerValue]] = []
        var values: [String: MixerValue] = [:]
        for entry in request.attributes {
            if request.repeatedAttributesSemantics == .independentEncoding { values = [:] }
            let own = entry.words.isEmpty ? request.defaultWords : entry.words
            func word(_ number: Int32) -> String {
                number >= 0 ? GlobalWords.standard.words[Int(number)] : own[-1 - Int(number)]
            }
            for (name, text) in entry.strings { values[word(name)] = .text(word(text)) }
            for (name, number) in entry.int64S { values[word(name)] = .number(number) }
            for (name, number) in entry.doubles { values[word(name)] = .fraction(number) }
            for (name, truth) in entry.bools { values[word(name)] = .truth(truth) }
            for (name, bytes) in entry.bytes { values[word(name)] = .bytes(Array(bytes)) }
            for (name, moment) in entry.timestamps {
                values[word(name)] = .moment(milliseconds: moment.seconds * 1000 + Int64(moment.nanos) / 1_000_000)
            }
            for (name, duration) in entry.durations {
                values[word(name)] = .duration(.seconds(duration.seconds) + .nanoseconds(Int64(duration.nanos)))
            }
            for (name, map) in entry.stringMaps {
                values[word(name)] = .map(
                    Dictionary(uniqueKeysWithValues: map.entries.map { (word($0.key), word($0.value)) })
                )
            }
            entries.append(values)
        }
        return entries
    }

    /// What was written of the reports, as a server that uses generated code reads it.
    private func written(_ reports: [MixerReport]) throws -> Istio_Mixer_V1_ReportRequest {
        try Istio_Mixer_V1_ReportRequest(serializedBytes: MixerReport.message(reports))
    }

    @Test("Requests that differ little are told as differences, each text once in all")
    func differences() throws {
        let reports = [
            Self.report("/a", [("User-Agent", "curl/8"), ("X-Request-Id", "1")]),
            Self.report("/a", [("User-Agent", "curl/8"), ("X-Request-Id", "2")], status: 404),
            Self.report("/b", [("User-Agent", "curl/8"), ("X-Request-Id", "3"), ("Referer", "/a")]),
        ]

        let message = try self.written(reports)

        #expect(Self.entries(message) == reports.map(\.attributes))
        #expect(message.repeatedAttributesSemantics == .deltaEncoding)
        #expect(Int(message.globalWordCount) == GlobalWords.standard.words.count)
        #expect(Set(message.defaultWords).count == message.defaultWords.count)
        #expect(message.attributes.allSatisfy { $0.words.isEmpty })
        #expect(message.attributes[1].strings.count == 1, "only the request's id differs")
        #expect(message.attributes[1].bytes.isEmpty && message.attributes[0].bytes.count == 2)
    }

    @Test("Where an attribute is missing in the next, or another service is meant, each entry stands for itself")
    func whole() throws {
        let other = MixerService(
            host: "db.shop.svc.cluster.local",
            attributes: ["destination.service.name": .text("db")]
        )
        let bare = MixerPolicy(checkServer: nil, reportServer: Self.server, failsOpen: true)
        for reports in [
            [Self.report("/a", [("Referer", "/")]), Self.report("/a")],
            [Self.report("/a"), Self.report("/a", service: other)],
            [Self.report("/a"), Self.report("/a", policy: bare)],
            [Self.report("/a", peer: "spiffe://td/ns/shop/sa/x"), Self.report("/a")],
        ] {
            let message = try self.written(reports)
            #expect(message.repeatedAttributesSemantics == .independentEncoding)
            #expect(Self.entries(message) == reports.map(\.attributes))
        }
    }

    @Test("All that a report may say arrives")
    func everything() throws {
        var refused = Self.report("/q?a=1&a=2&&b=%20&c", [("X-A", "1"), ("x-a", "2"), ("X-API-Key", "k")], status: 403)
        refused.check = MixerReport.Check(
            status: MixerStatus(code: 7, message: "n\u{f6}"),
            isFromCache: true,
            isQuotaFromCache: false
        )
        refused.flags = "UAEX"
        var sent = Self.report("/g", [("Content-Type", "application/grpc")], peer: "spiffe://td/ns/shop/sa/x")
        sent.upstream = NetworkAddress(ip: .v6(high: 1, low: 2), port: 8443)
        var traffic = ConnectionTraffic(.close)
        (traffic.bytesSent, traffic.bytesSentTotal) = (1 << 40, Int.max)
        var closed = MixerReport(.connection(id: "c-1"), Self.facts(), Self.policy, .connection(traffic))
        closed.duration = .seconds(3)
        let empty = Self.report("/?", [("", ""), ("a", "")])
        let long = Self.report(
            "/" + String(repeating: "x", count: 5000),
            [("b", String(repeating: "y", count: 40_000))]
        )

        for reports in [[refused], [sent], [closed], [empty], [long], [refused, sent, closed, empty, long], []] {
            #expect(Self.entries(try self.written(reports)) == reports.map(\.attributes))
        }
        #expect(refused.attributes["request.query_params"] == .map(["a": "1", "b": "%20", "c": ""]))
        #expect(refused.attributes["request.api_key"] == .text("k"))
    }

    @Test("Every attribute has a place and a bit of its own")
    func places() {
        #expect(
            AttributeTable.names.count <= UInt64.bitWidth && AttributeTable.kinds.count == AttributeTable.names.count
        )
        #expect(Set(AttributeTable.names).count == AttributeTable.names.count)
    }

    @Test("More texts than a small table holds keep their numbers apart")
    func manyWords() throws {
        let reports = (0..<100).map { number in
            Self.report("/\(number)", (0..<20).map { ("h\($0)", "value-\(number)-\($0)") })
        }

        let message = try self.written(reports)

        #expect(message.defaultWords.count > 2000)
        #expect(Self.entries(message) == reports.map(\.attributes))
    }
}
