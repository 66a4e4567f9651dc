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
    private func written(
        _ reports: [MixerReport],
        by writer: ReportWriter = ReportWriter()
    ) throws
        -> [Istio_Mixer_V1_ReportRequest]
    {
        for report in reports { writer.add(report) }
        let messages = writer.take()
        #expect(messages.map(\.count).reduce(0, +) == reports.count)
        return try messages.map { try Istio_Mixer_V1_ReportRequest(serializedBytes: $0.bytes) }
    }

    /// Whether the messages say what the reports say, in any order.
    private func isAll(_ messages: [Istio_Mixer_V1_ReportRequest], _ reports: [MixerReport]) -> Bool {
        var rest = messages.flatMap(Self.entries)
        for report in reports {
            guard let index = rest.firstIndex(of: report.attributes) else { return false }
            rest.remove(at: index)
        }
        return rest.isEmpty
    }

    @Test("Requests that differ little are told as differences, each text once in all")
    func differences() throws {
        let reports = [
            Self.report("/a", [("User-Agent", "curl/8"), ("X-Request-Id", "1")]),
            Self.report("/a", [("User-Agent", "curl/8"), ("X-Request-Id", "2")], status: 404),
            Self.report("/b", [("User-Agent", "curl/8"), ("X-Request-Id", "3"), ("Referer", "/a")]),
        ]

        let messages = try self.written(reports)

        let message = try #require(messages.first)
        #expect(messages.count == 1)
        #expect(Self.entries(message) == reports.map(\.attributes))
        #expect(message.repeatedAttributesSemantics == .deltaEncoding)
        #expect(Int(message.globalWordCount) == GlobalWords.standard.words.count)
        #expect(Set(message.defaultWords).count == message.defaultWords.count)
        #expect(message.attributes.allSatisfy { $0.words.isEmpty })
        #expect(message.attributes[1].strings.count == 1, "only the request's id differs")
        #expect(message.attributes[1].bytes.isEmpty && message.attributes[0].bytes.count == 3)
    }

    @Test("Where an attribute is missing in the next, or another service is meant, it is told in another message")
    func apart() throws {
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
            let messages = try self.written(reports + reports)
            #expect(messages.map(\.attributes.count) == [2, 2])
            #expect(self.isAll(messages, reports + reports))
        }
    }

    @Test("Each batch begins anew, whatever the one before has said")
    func batches() throws {
        let writer = ReportWriter()
        let first = [Self.report("/a", [("Referer", "/")]), Self.report("/b", [("Referer", "/")])]
        for reports in [first, first, [Self.report("/a"), Self.report("/a")], first] {
            #expect(writer.byteCount == 0)
            let messages = try self.written(reports, by: writer)
            #expect(messages.count == 1 && self.isAll(messages, reports))
        }
        #expect(writer.take().isEmpty)
    }

    @Test("Messages that grow at once are bounded, and nothing is lost for it")
    func streams() throws {
        let services = (0..<100).map { number in
            MixerService(host: "s\(number)", attributes: ["destination.service.name": .text("s\(number)")])
        }
        let reports = (services + services).map { Self.report("/a", service: $0) }
        #expect(self.isAll(try self.written(reports), reports))
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
            #expect(self.isAll(try self.written(reports), reports))
        }
        #expect(refused.attributes["request.query_params"] == .map(["a": "1", "b": "%20", "c": ""]))
        #expect(refused.attributes["request.api_key"] == .text("k"))
    }

    @Test("Bytes that are no text spoil no message")
    func invalidText() throws {
        let owned = ([0xFF, 0x2F, 0xC3] as [UInt8]).map { byte -> OwnedRequest in
            let bytes: [UInt8] = [0x47, 0x2F, byte, 0x78, byte]
            let field = HeaderField(name: ByteRange(start: 3, count: 1), value: ByteRange(start: 4, count: 1))
            return bytes.withUnsafeBytes { raw in
                withUnsafePointer(to: field) { field in
                    OwnedRequest(
                        RequestView(
                            bytes: raw,
                            method: ByteRange(start: 0, count: 1),
                            target: ByteRange(start: 1, count: 2),
                            authority: ByteRange(start: 3, count: 1),
                            headers: UnsafeBufferPointer(start: field, count: 1)
                        )
                    )
                }
            }
        }
        var outcome = RequestOutcome()
        outcome.response = [UInt8]([0x61, 0xE9]).withUnsafeBytes {
            let field = HeaderField(name: ByteRange(start: 0, count: 1), value: ByteRange(start: 1, count: 1))
            return ReportedHeaders($0, [field])
        }
        let reports = owned.map { MixerReport(.request($0), Self.facts(), Self.policy, .request(outcome)) }
        #expect(reports.first?.attributes["request.path"] == .text("/\u{FFFD}"))

        #expect(self.isAll(try self.written(reports), reports))
    }

    @Test("Every attribute has a place and a bit of its own")
    func places() {
        #expect(
            AttributeRecord.names.count <= UInt64.bitWidth && AttributeRecord.kinds.count == AttributeRecord.names.count
        )
        #expect(Set(AttributeRecord.names).count == AttributeRecord.names.count)
    }

    @Test("More texts than a small table holds keep their numbers apart")
    func manyWords() throws {
        let reports = (0..<100).map { number in
            Self.report("/\(number)", (0..<20).map { ("h\($0)", "value-\(number)-\($0)") })
        }

        let message = try #require(try self.written(reports).first)

        #expect(message.defaultWords.count > 2000)
        #expect(Self.entries(message) == reports.map(\.attributes))
    }
}
