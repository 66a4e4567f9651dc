import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import MeshModel
import MixerAPI
import ProxyRuntime
import RequestAuthorities
import SwiftProtobuf
import Testing
import TrafficEngine

@Suite struct MixerClientTests {
    private func run(
        reportTimeout: Duration = .seconds(5),
        _ body: (TestMixer, MixerClient, ServiceEndpoint) async throws -> Void
    ) async throws {
        let service = TestMixer()
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0),
            transportSecurity: .plaintext
        )
        let server = GRPCServer(transport: transport, services: [service])
        let client = MixerClient(
            connector: ServiceConnector(),
            reportTimeout: reportTimeout,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.serve() }
            group.addTask { await client.run() }
            let port = try #require(try await server.listeningAddress?.ipv4?.port)
            let address = NetworkAddress(ip: .v4(0x7f00_0001), port: try #require(UInt16(exactly: port)))
            try await body(service, client, ServiceEndpoint(address: address, cluster: ClusterID(index: 0)))
            group.cancelAll()
        }
    }

    private static func policy(_ timeout: Duration = .seconds(5)) -> MixerPolicy {
        MixerPolicy(
            checkServer: MixerPolicy.Server(cluster: ClusterID(index: 0), name: "mixer"),
            reportServer: nil,
            failsOpen: false,
            checkTimeout: timeout,
            attributes: ["destination.namespace": .text("shop")]
        )
    }

    private static func request(_ path: String) -> OwnedRequest {
        let bytes = Array("GET\(path)x.test".utf8)
        let view = { (raw: UnsafeRawBufferPointer) in
            RequestView(
                bytes: raw,
                method: ByteRange(start: 0, count: 3),
                target: ByteRange(start: 3, count: UInt32(path.utf8.count)),
                authority: ByteRange(start: 3 + UInt32(path.utf8.count), count: 6),
                headers: UnsafeBufferPointer(start: nil, count: 0)
            )
        }
        return bytes.withUnsafeBytes { OwnedRequest(view($0)) }
    }

    private static let facts = PolicyFacts(
        source: .v4(0x0a00_0001),
        destination: NetworkAddress(ip: .v4(0x0a00_0002), port: 80)
    )

    private func ask(
        _ client: MixerClient,
        _ path: String,
        charges: [QuotaCharge] = [],
        timeout: Duration = .seconds(5),
        _ endpoints: ServiceEndpoint...
    ) async -> MixerAnswer {
        var question = MixerQuestion(
            .request(Self.request(path)),
            facts: Self.facts,
            policy: Self.policy(timeout),
            milliseconds: 1500,
            endpoints: endpoints
        )
        question.charges = charges
        question.deduplicationID = "id-1"
        return await withCheckedContinuation { continuation in
            client.check(question) { continuation.resume(returning: $0) }
        }
    }

    @Test("An answer that takes longer than the policy waits is none")
    func late() async throws {
        try await self.run { service, client, address in
            // There is a connection then, which takes its time on a busy machine.
            _ = await self.ask(client, "/deny", address)
            guard case .failed = await self.ask(client, "/held", timeout: .seconds(2), address) else {
                Issue.record("an answer came")
                return
            }
            #expect(service.checked.count == 2)
        }
    }

    @Test("A refusal comes with what it depends on, and how long it holds")
    func refusal() async throws {
        try await self.run { service, client, address in
            guard case .answered(let answer) = await self.ask(client, "/deny", address) else {
                Issue.record("no answer")
                return
            }
            #expect(answer.verdict.status == MixerStatus(code: 7, message: "no"))
            #expect(answer.validDuration == .seconds(5) && answer.validUseCount == 3)
            #expect(
                answer.references == [
                    CheckReference(name: "request.headers", key: "x-user", condition: .absent),
                    CheckReference(name: "request.path", condition: .exact),
                ]
            )
            let request = try #require(service.checked.first)
            #expect(Int(request.globalWordCount) == GlobalWords.standard.words.count)
            #expect(MixerWords.text("request.path", in: request.attributes) == "/deny")
            #expect(MixerWords.text("request.method", in: request.attributes) == "GET")
            #expect(MixerWords.text("destination.namespace", in: request.attributes) == "shop")
            #expect(request.attributes.bytes[MixerWords.number("source.ip")].map(Array.init) == [10, 0, 0, 1])
            #expect(request.attributes.timestamps[MixerWords.number("request.time")]?.seconds == 1)
            #expect(request.deduplicationID == "id-1")
        }
    }

    @Test("Headers are changed as the engine says, but it cannot smuggle lines")
    func headers() async throws {
        try await self.run { _, client, address in
            guard case .answered(let answer) = await self.ask(client, "/headers", address) else {
                Issue.record("no answer")
                return
            }
            let entry = HeaderEdits.Entry(name: Array("x-user".utf8), value: Array("ann".utf8))
            #expect(answer.verdict.requestHeaders == HeaderEdits(set: [entry]))
            guard case .answered(let smuggled) = await self.ask(client, "/smuggle", address) else {
                Issue.record("no verdict")
                return
            }
            #expect(!smuggled.verdict.status.isOK && smuggled.verdict.requestHeaders.isEmpty)
        }
    }

    @Test("A refusal with words that cannot be used is a refusal without them, never a failure to ask")
    func oddRefusal() async throws {
        try await self.run { _, client, address in
            guard case .answered(let answer) = await self.ask(client, "/deny-oddly", address) else {
                Issue.record("no verdict")
                return
            }
            let entry = HeaderEdits.Entry(name: Array("x-why".utf8), value: Array("rule".utf8))
            #expect(answer.verdict.status.code == 7)
            #expect(answer.verdict.directStatus == 0 && answer.verdict.directBody == "no")
            #expect(answer.verdict.responseHeaders == HeaderEdits(set: [entry]))
            #expect(answer.validDuration == .seconds(5) && answer.validUseCount == 3)
        }
    }

    @Test("A request that may pass only with what cannot be done is refused, this once")
    func oddPass() async throws {
        try await self.run { _, client, address in
            guard case .answered(let answer) = await self.ask(client, "/pass-oddly", address) else {
                Issue.record("no verdict")
                return
            }
            #expect(answer.verdict.status.code == 14)
            #expect(answer.verdict.directStatus == 0)
            #expect(answer.validDuration == .zero && answer.validUseCount == 0)
        }
    }

    @Test("Path, authority and method of a request are changed as the engine says")
    func requestLine() async throws {
        try await self.run { _, client, address in
            guard case .answered(let answer) = await self.ask(client, "/line", address) else {
                Issue.record("no answer")
                return
            }
            #expect(
                answer.verdict.requestLine
                    == RequestLineEdits(
                        method: Array("POST".utf8),
                        target: Array("/status/418?a=b".utf8),
                        authority: Array("[::1]:8080".utf8)
                    )
            )
            let entry = HeaderEdits.Entry(name: Array("x-a".utf8), value: Array("1".utf8))
            #expect(answer.verdict.requestHeaders == HeaderEdits(set: [entry]))
            #expect(answer.verdict.changesRequest)
        }
    }

    @Test("A request that may pass only as one that cannot be made is refused")
    func unusableLines() async throws {
        try await self.run { _, client, address in
            for (index, operation) in TestMixer.unusable.enumerated() {
                guard case .answered(let answer) = await self.ask(client, "/line/\(index)", address) else {
                    Issue.record("no verdict: \(operation)")
                    continue
                }
                #expect(answer.verdict.status.code == 14 && !answer.verdict.changesRequest, "\(operation)")
            }
        }
    }

    @Test("An answer has no path that could be changed")
    func lineOfAnswer() async throws {
        try await self.run { _, client, address in
            guard case .answered(let answer) = await self.ask(client, "/line-of-answer", address) else {
                Issue.record("no verdict")
                return
            }
            #expect(answer.verdict.status.code == 14)
        }
    }

    @Test("Failures of the call are no verdicts: an error, an answer that says nothing, nobody there")
    func failures() async throws {
        try await self.run { _, client, address in
            var nobody = address
            nobody.address.port = 1
            for answer in [
                await self.ask(client, "/error", address), await self.ask(client, "/empty", address),
                await self.ask(client, "/deny"), await self.ask(client, "/deny", nobody),
            ] {
                guard case .failed = answer else {
                    Issue.record("\(answer)")
                    continue
                }
            }
            // One that is not there does not keep the next from being asked.
            guard case .answered = await self.ask(client, "/deny", nobody, address) else {
                Issue.record("not asked")
                return
            }
        }
    }

    @Test("References to words that we lack make an answer good for one request alone")
    func unknownWords() async throws {
        try await self.run { _, client, address in
            guard case .answered(let answer) = await self.ask(client, "/broken-words", address) else {
                Issue.record("no answer")
                return
            }
            #expect(answer.references == nil)
        }
    }

    @Test("What is asked ahead of need is asked for as far as it goes")
    func quotas() async throws {
        try await self.run { service, client, address in
            let charge = QuotaCharge(quota: "requests", amount: 1, asked: 4)
            guard case .answered(let answer) = await self.ask(client, "/quota", charges: [charge], address) else {
                Issue.record("no answer")
                return
            }
            #expect(answer.quotas["requests"]?.amount == 2)
            let asked = try #require(service.checked.first?.quotas["requests"])
            #expect(asked.amount == 4 && asked.bestEffort)
        }
    }

    @Test("Reports are sent together, each as what differs from the one before")
    func reports() async throws {
        try await self.run { service, client, address in
            let policy = Self.policy()
            let reports = [200, 404].map { status in
                var outcome = RequestOutcome()
                outcome.status = status
                return MixerReport(.request(Self.request("/a")), Self.facts, policy, .request(outcome))
            }
            func lost(_ endpoints: [ServiceEndpoint]) async -> Int {
                let writer = client.makeReportWriter()
                for report in reports { writer.add(report) }
                let messages = writer.take()
                return await withCheckedContinuation { continuation in
                    client.report(messages, to: endpoints) { continuation.resume(returning: $0) }
                }
            }
            #expect(await lost([address]) == 0)
            let request = try #require(service.reported.first)
            #expect(request.repeatedAttributesSemantics == .deltaEncoding)
            #expect(request.attributes.map { $0.int64S[MixerWords.number("response.code")] } == [200, 404])
            #expect(request.attributes.last?.strings.isEmpty == true)
            #expect(await lost([]) == 2)
        }
    }

    @Test("An engine that is slow holds up a batch once, not once for each of its messages")
    func slowReports() async throws {
        try await self.run(reportTimeout: .seconds(3)) { service, client, address in
            func lost(_ path: String, _ count: Int) async -> Int {
                let writer = client.makeReportWriter()
                // Of different settings, and so in messages of their own.
                for _ in 0..<count {
                    let subject = MixerSubject.request(Self.request(path))
                    writer.add(MixerReport(subject, Self.facts, Self.policy(), .request(RequestOutcome())))
                }
                let messages = writer.take()
                #expect(messages.count == count)
                return await withCheckedContinuation { continuation in
                    client.report(messages, to: [address]) { continuation.resume(returning: $0) }
                }
            }
            // There is a connection then, which takes its time on a busy machine.
            #expect(await lost("/a", 1) == 0)
            #expect(await lost("/held", 3) == 3)
            #expect(service.reported.count == 2)
        }
    }

    @Test("What may have been charged or counted is not sent to a second endpoint; other questions are")
    func repetition() async throws {
        try await self.run { service, client, address in
            let charge = QuotaCharge(quota: "requests", amount: 1, asked: 1)
            _ = await self.ask(client, "/full-quota", charges: [charge], address, address)
            #expect(service.checked.count == 1)
            _ = await self.ask(client, "/full", address, address)
            #expect(service.checked.count > 2)
            let writer = client.makeReportWriter()
            writer.add(
                MixerReport(.request(Self.request("/full")), Self.facts, Self.policy(), .request(RequestOutcome()))
            )
            let messages = writer.take()
            let lost = await withCheckedContinuation { continuation in
                client.report(messages, to: [address, address]) { continuation.resume(returning: $0) }
            }
            #expect(lost == 1 && service.reported.count == 1)
        }
    }
}
