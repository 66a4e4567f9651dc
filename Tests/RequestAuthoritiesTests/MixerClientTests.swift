import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import MeshModel
import MixerAPI
import ProxyRuntime
import RequestAuthorities
import SwiftProtobuf
import Synchronization
import Testing
import TrafficEngine

/// A policy engine of the tests; the request's path says what it shall do.
private final class TestMixer: Istio_Mixer_V1_Mixer.SimpleServiceProtocol {
    private let checks = Mutex<[Istio_Mixer_V1_CheckRequest]>([])
    private let reports = Mutex<[Istio_Mixer_V1_ReportRequest]>([])

    static func operation(
        _ name: String,
        _ value: String,
        _ operation: Istio_Mixer_V1_HeaderOperation.Operation = .replace
    ) -> Istio_Mixer_V1_HeaderOperation {
        .with {
            $0.name = name
            $0.value = value
            $0.operation = operation
        }
    }

    var checked: [Istio_Mixer_V1_CheckRequest] { self.checks.withLock { $0 } }
    var reported: [Istio_Mixer_V1_ReportRequest] { self.reports.withLock { $0 } }

    func check(
        request: Istio_Mixer_V1_CheckRequest,
        context: ServerContext
    ) async throws -> Istio_Mixer_V1_CheckResponse {
        self.checks.withLock { $0.append(request) }
        var response = Istio_Mixer_V1_CheckResponse()
        switch Words.text("request.path", in: request.attributes) {
        case "/deny":
            response.precondition.status.code = 7
            response.precondition.status.message = "no"
            response.precondition.validDuration.seconds = 5
            response.precondition.validUseCount = 3
            response.precondition.referencedAttributes = .with {
                $0.words = ["x-user"]
                $0.attributeMatches = [
                    .with {
                        $0.name = Words.number("request.headers")
                        $0.mapKey = -1
                        $0.condition = .absence
                    },
                    .with {
                        $0.name = Words.number("request.path")
                        $0.condition = .exact
                    },
                ]
            }
        case "/headers":
            response.precondition.routeDirective.requestHeaderOperations = [
                .with {
                    $0.name = "X-User"
                    $0.value = "ann"
                }
            ]
        case "/line":
            response.precondition.routeDirective.requestHeaderOperations = [
                Self.operation(":path", "/status/418?a=b"), Self.operation(":Authority", "[::1]:8080"),
                Self.operation(":method", "POST"), Self.operation("x-a", "1"),
            ]
        case let path where path?.hasPrefix("/line/") == true:
            guard let index = path.flatMap({ Int($0.dropFirst(6)) }) else { break }
            response.precondition.routeDirective.requestHeaderOperations = [MixerClientTests.unusable[index]]
        case "/line-of-answer":
            response.precondition.routeDirective.responseHeaderOperations = [Self.operation(":path", "/")]
        case "/smuggle":
            response.precondition.routeDirective.requestHeaderOperations = [
                .with {
                    $0.name = "x-user"
                    $0.value = "ann\r\nx-admin: 1"
                }
            ]
        case "/deny-oddly":
            response.precondition.status.code = 7
            response.precondition.validDuration.seconds = 5
            response.precondition.validUseCount = 3
            response.precondition.routeDirective = .with {
                $0.directResponseCode = 100
                $0.directResponseBody = "no"
                $0.responseHeaderOperations = [("connection", "close"), ("x-why", "rule")].map { name, value in
                    .with {
                        $0.name = name
                        $0.value = value
                    }
                }
            }
        case "/pass-oddly":
            response.precondition.validDuration.seconds = 60
            response.precondition.validUseCount = 10
            response.precondition.routeDirective.directResponseCode = 99
        case "/broken-words":
            response.precondition.referencedAttributes.attributeMatches = [.with { $0.name = 9999 }]
        case "/quota":
            response.precondition.status.code = 0
            response.quotas["requests"] = .with { $0.grantedAmount = 2 }
        case "/held":
            // Ends with the server.
            for await _ in AsyncStream<Never>.makeStream().stream {}
        case "/empty": ()
        case "/full", "/full-quota": throw RPCError(code: .unavailable, message: "full")
        default: throw RPCError(code: .internalError, message: "broken")
        }
        return response
    }

    func report(
        request: Istio_Mixer_V1_ReportRequest,
        context: ServerContext
    ) async throws -> Istio_Mixer_V1_ReportResponse {
        self.reports.withLock { $0.append(request) }
        let texts = request.attributes.map { Words.text("request.path", in: $0, request.defaultWords) }
        if texts.contains("/full") { throw RPCError(code: .unavailable, message: "full") }
        return Istio_Mixer_V1_ReportResponse()
    }
}

/// Reads attributes by the global list.
private enum Words {
    static func number(_ word: String) -> Int32 { GlobalWords.standard.indices[word] ?? -1 }

    static func text(
        _ name: String,
        in attributes: Istio_Mixer_V1_CompressedAttributes,
        _ defaultWords: [String] = []
    ) -> String? {
        guard let number = attributes.strings[self.number(name)] else { return nil }
        let own = attributes.words.isEmpty ? defaultWords : attributes.words
        return number >= 0 ? GlobalWords.standard.words[Int(number)] : own[-1 - Int(number)]
    }
}

@Suite struct MixerClientTests {
    private func run(_ body: (TestMixer, MixerClient, ServiceEndpoint) async throws -> Void) async throws {
        let service = TestMixer()
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0),
            transportSecurity: .plaintext
        )
        let server = GRPCServer(transport: transport, services: [service])
        let client = MixerClient(
            connector: ServiceConnector(),
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
            guard case .failed = await self.ask(client, "/held", timeout: .seconds(1), address) else {
                Issue.record("an answer came")
                return
            }
            #expect(service.checked.count == 1)
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
            #expect(Words.text("request.path", in: request.attributes) == "/deny")
            #expect(Words.text("request.method", in: request.attributes) == "GET")
            #expect(Words.text("destination.namespace", in: request.attributes) == "shop")
            #expect(request.attributes.bytes[Words.number("source.ip")].map(Array.init) == [10, 0, 0, 1])
            #expect(request.attributes.timestamps[Words.number("request.time")]?.seconds == 1)
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

    fileprivate static let unusable: [Istio_Mixer_V1_HeaderOperation] = [
        TestMixer.operation(":path", ""), TestMixer.operation(":path", "status"), TestMixer.operation(":path", "/a b"),
        TestMixer.operation(":path", "/a#b"), TestMixer.operation(":path", "http://x.test/"),
        TestMixer.operation(":path", "/a HTTP/1.1\r\nx-admin: 1\r\nx: "), TestMixer.operation(":path", "/\u{7f}"),
        TestMixer.operation(":path", "/" + String(repeating: "a", count: 64 * 1024)),
        TestMixer.operation(":authority", ""), TestMixer.operation(":authority", "a b"),
        TestMixer.operation(":authority", " a"), TestMixer.operation(":authority", "user@a"),
        TestMixer.operation(":authority", "a/b"), TestMixer.operation(":authority", "a:70000"),
        TestMixer.operation(":authority", "a\r\nx-admin: 1"), TestMixer.operation(":method", ""),
        TestMixer.operation(":method", "GET /x"), TestMixer.operation(":method", "G\u{e9}T"),
        TestMixer.operation(":method", "HEAD"), TestMixer.operation(":method", "CONNECT"),
        TestMixer.operation(":scheme", "https"), TestMixer.operation(":", "a"),
        TestMixer.operation(":path", "/a", .append), TestMixer.operation(":path", "", .remove),
        TestMixer.operation("host", "a"),
    ]

    @Test("A request that may pass only as one that cannot be made is refused")
    func unusableLines() async throws {
        try await self.run { _, client, address in
            for (index, operation) in Self.unusable.enumerated() {
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
            #expect(request.attributes.map { $0.int64S[Words.number("response.code")] } == [200, 404])
            #expect(request.attributes.last?.strings.isEmpty == true)
            #expect(await lost([]) == 2)
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
