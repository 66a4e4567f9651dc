import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import KubernetesAPI
import Logging
import MixerAPI
import PolicyEngine
import SwiftProtobuf
import Testing

@Suite struct MixerServiceTests {
    /// Calls a service as its listener does.
    private struct Caller: Sendable {
        let service: MixerService

        func check(_ request: Istio_Mixer_V1_CheckRequest) async throws -> Istio_Mixer_V1_CheckResponse {
            try await withServerContextRPCCancellationHandle { handle in
                try await self.service.check(request: request, context: Self.context("Check", handle))
            }
        }

        func report(_ request: Istio_Mixer_V1_ReportRequest) async throws {
            try await withServerContextRPCCancellationHandle { handle in
                _ = try await self.service.report(request: request, context: Self.context("Report", handle))
            }
        }

        private static func context(_ method: String, _ handle: ServerContext.RPCCancellationHandle) -> ServerContext {
            ServerContext(
                descriptor: MethodDescriptor(fullyQualifiedService: "istio.mixer.v1.Mixer", method: method),
                remotePeer: "test",
                localPeer: "test",
                cancellation: handle
            )
        }
    }

    private func withClient(
        _ objects: [KubernetesObject],
        in environment: TestEnvironment = TestEnvironment(),
        _ body: (Caller, PolicyServer) async throws -> Void
    ) async throws {
        let server = PolicyServer(
            PolicyDispatcher.of(objects, in: environment).configuration,
            logger: Logger(label: "test")
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            try await body(Caller(service: MixerService(server)), server)
            group.cancelAll()
        }
    }

    @Test("Proxies reach it by gRPC")
    func listens() async throws {
        let server = PolicyServer(PolicyDispatcher.of(Self.deny).configuration, logger: Logger(label: "test"))
        let listener = MixerListener(host: "127.0.0.1", port: 0, service: MixerService(server))
        let request = Self.check(["request.headers": .stringMap(["x": "bad"])])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run() }
            let port = try #require(try await listener.port())
            try await withGRPCClient(
                transport: .http2NIOPosix(
                    target: .ipv4(address: "127.0.0.1", port: port),
                    transportSecurity: .plaintext
                )
            ) { client in
                let mixer = Istio_Mixer_V1_Mixer.Client(wrapping: client)
                let answer = try await mixer.check(request)
                #expect(answer.precondition.status.code == 7)
                _ = try await mixer.report(Istio_Mixer_V1_ReportRequest())
            }
            group.cancelAll()
        }
    }

    private static let deny = [
        policyObject("denier", "deny", ["status": ["code": 7, "message": "no"]]),
        policyObject("checknothing", "nothing", [:]),
        policyObject(
            "rule",
            "r",
            ["match": #"request.headers["x"] == "bad""#, "actions": [["handler": "deny", "instances": ["nothing"]]]]
        ),
    ]

    private static func check(_ values: [String: AttributeValue], count: Int = 222) -> Istio_Mixer_V1_CheckRequest {
        .with {
            $0.globalWordCount = UInt32(count)
            $0.attributes = AttributeEncoder(vocabulary: .standard, globalWordCount: count).encode(request(values))
        }
    }

    @Test("A check is answered with status, validity and what it depends on")
    func checks() async throws {
        try await self.withClient(Self.deny) { client, _ in
            let denied = try await client.check(Self.check(["request.headers": .stringMap(["x": "bad"])]))
            let passed = try await client.check(Self.check(["request.headers": .stringMap(["x": "good"])]))

            #expect(denied.precondition.status.code == 7)
            #expect(denied.precondition.status.message == "deny.istio-system:no")
            #expect(denied.precondition.validUseCount == 1000)
            #expect(denied.precondition.validDuration.seconds == 5)
            let headers = denied.precondition.referencedAttributes.attributeMatches.filter { $0.name == 15 }
            #expect(headers.map(\.condition) == [.exact])
            #expect(passed.precondition.status.code == 0)
            #expect(passed.precondition.validDuration.seconds == 60)
        }
    }

    @Test("A client that knows more words is served, and refused where it uses one that is unknown here")
    func newerClient() async throws {
        try await self.withClient(Self.deny) { client, _ in
            var message = Self.check(["request.headers": .stringMap(["x": "bad"])], count: 900)
            let known = try await client.check(message).precondition.status.code
            #expect(known == 7)

            message.attributes.strings[17] = 800
            let error = await #expect(throws: RPCError.self) { try await client.check(message) }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test("Quota is asked for only if the request may pass, and charged once for each attempt")
    func quotas() async throws {
        let objects =
            Self.deny + [
                policyObject(
                    "memquota",
                    "mem",
                    ["quotas": [["name": "rate", "maxAmount": 3, "validDuration": "60s"]]]
                ),
                policyObject("quota", "rate", ["dimensions": [:]]),
                policyObject("rule", "q", ["actions": [["handler": "mem", "instances": ["rate"]]]]),
            ]
        try await self.withClient(objects) { client, _ in
            var message = Self.check([:])
            message.deduplicationID = "one"
            message.quotas = ["rate": .with { $0.amount = 2 }, "other": .with { $0.amount = 9 }]
            var refused = message
            refused.attributes = Self.check(["request.headers": .stringMap(["x": "bad"])]).attributes

            let answers = [
                try await client.check(refused), try await client.check(message), try await client.check(message),
            ]
            message.deduplicationID = "two"
            let last = try await client.check(message)

            #expect(answers[0].quotas.isEmpty)
            #expect(answers[1].quotas.mapValues(\.grantedAmount) == ["rate": 2, "other": 9])
            #expect(answers[2].quotas.mapValues(\.grantedAmount) == ["rate": 2, "other": 9])
            #expect(last.quotas["rate"]?.grantedAmount == 0)
        }
    }

    @Test("Entries of a report say what differs from the one before")
    func reports() async throws {
        let environment = TestEnvironment()
        let objects = [
            policyObject("stdio", "out", ["outputAsJson": false]),
            policyObject(
                "logentry",
                "l",
                ["variables": ["path": #"request.path | "none""#, "code": "response.code | 0"]]
            ),
            policyObject("rule", "r", ["actions": [["handler": "out", "instances": ["l"]]]]),
        ]
        try await self.withClient(objects, in: environment) { client, _ in
            var report = Istio_Mixer_V1_ReportRequest.with {
                $0.globalWordCount = 222
                $0.defaultWords = ["/a", "/b"]
                $0.attributes = [
                    .with {
                        $0.strings = [17: -1]
                        $0.int64S = [30: 200]
                    }, .with { $0.strings = [17: -2] }, .with { $0.int64S = [30: 500] },
                ]
            }
            try await client.report(report)
            report.repeatedAttributesSemantics = .independentEncoding
            try await client.report(report)

            #expect(
                environment.lines == [
                    #"info l.logentry.istio-system code=200 path="/a""#,
                    #"info l.logentry.istio-system code=200 path="/b""#,
                    #"info l.logentry.istio-system code=500 path="/b""#,
                    #"info l.logentry.istio-system code=200 path="/a""#,
                    #"info l.logentry.istio-system code=0 path="/b""#,
                    #"info l.logentry.istio-system code=500 path="none""#,
                ]
            )
        }
    }

    @Test("A report with one entry that cannot be read is refused as a whole")
    func malformedReport() async throws {
        try await self.withClient([]) { client, _ in
            let error = await #expect(throws: RPCError.self) {
                try await client.report(.with { $0.attributes = [.init(), .with { $0.strings = [-1: 0] }] })
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test("A new configuration counts for the next call")
    func updates() async throws {
        try await self.withClient([]) { client, server in
            let message = Self.check(["request.headers": .stringMap(["x": "bad"])])
            let before = try await client.check(message).precondition.status.code
            #expect(before == 0)

            server.update(PolicyDispatcher.of(Self.deny).configuration)

            let after = try await client.check(message).precondition.status.code
            #expect(after == 7)
        }
    }

    @Test("A list is fetched beside the requests that wait for it")
    func fetchesLists() async throws {
        let environment = TestEnvironment()
        environment.serve("good\nbetter\n", at: "http://lists/a")
        let objects = [
            policyObject("listchecker", "list", ["providerUrl": "http://lists/a"]),
            policyObject("listentry", "entry", ["value": #"request.path | """#]),
            policyObject("rule", "r", ["actions": [["handler": "list", "instances": ["entry"]]]]),
        ]
        try await self.withClient(objects, in: environment) { client, _ in
            var code: Int32 = 14
            while code == 14 {
                code = try await client.check(Self.check(["request.path": .string("better")])).precondition.status.code
            }
            #expect(code == 0)
            let bad = try await client.check(Self.check(["request.path": .string("bad")]))
            #expect(bad.precondition.status.code == 5)
        }
    }

    @Test("A handler made anew of the same settings is run anew, even if nobody saw the time between")
    func sameSettingsAgain() async throws {
        let environment = TestEnvironment()
        environment.serve("good", at: "http://lists/a")
        let objects = [
            policyObject("listchecker", "list", ["providerUrl": "http://lists/a"]),
            policyObject("listentry", "entry", ["value": #"request.path | """#]),
            policyObject("rule", "r", ["actions": [["handler": "list", "instances": ["entry"]]]]),
        ]
        func code(_ client: Caller) async throws -> Int32 {
            for _ in 0..<2000 {
                let answer = try await client.check(Self.check(["request.path": .string("good")]))
                if answer.precondition.status.code != 14 { return answer.precondition.status.code }
                await Task.yield()
            }
            return 14
        }
        try await self.withClient(objects, in: environment) { client, server in
            let first = try await code(client)
            server.update(PolicyDispatcher.of(objects, in: environment).configuration)
            let second = try await code(client)

            #expect([first, second] == [0, 0])
        }
    }

    @Test("A verdict is never INTERNAL, which proxies take for a broken network")
    func noInternalVerdict() async throws {
        var objects = Self.deny
        objects[0] = policyObject("denier", "deny", ["status": ["code": 13, "message": "no"]])
        try await self.withClient(objects) { client, _ in
            let answer = try await client.check(Self.check(["request.headers": .stringMap(["x": "bad"])]))

            #expect(answer.precondition.status.code == 14)
            #expect(answer.precondition.status.message == "deny.istio-system:no")
        }
    }

    @Test("A report has a bounded number of entries", arguments: [0, 1])
    func manyEntries(_ extra: Int) async throws {
        try await self.withClient([]) { client, _ in
            let report = Istio_Mixer_V1_ReportRequest.with {
                $0.attributes = Array(repeating: .init(), count: MixerService.entriesMax + extra)
            }
            let error: RPCError?
            do {
                try await client.report(report)
                error = nil
            } catch let thrown as RPCError {
                error = thrown
            }
            #expect(error?.code == (extra == 0 ? nil : .invalidArgument))
        }
    }

    @Test("A denier words the response itself, headers included")
    func directResponse() async throws {
        var objects = Self.deny
        let detail: JSONValue = [
            "@type": "type.googleapis.com/istio.policy.v1beta1.DirectHttpResponse", "code": 302, "body": "moved",
            "headers": ["location": "/login"],
        ]
        objects[0] = policyObject("denier", "deny", ["status": ["code": 16, "details": [detail]]])
        try await self.withClient(objects) { client, _ in
            let refused = try await client.check(Self.check(["request.headers": .stringMap(["x": "bad"])]))
            let passed = try await client.check(Self.check([:]))

            let directive = refused.precondition.routeDirective
            #expect(refused.precondition.status.code == 16)
            #expect(directive.directResponseCode == 302)
            #expect(directive.directResponseBody == "moved")
            #expect(directive.responseHeaderOperations.map(\.name) == ["location"])
            #expect(directive.responseHeaderOperations.map(\.value) == ["/login"])
            #expect(!passed.precondition.hasRouteDirective)
        }
    }

    @Test("A response that is none, or that proxies would not give, is a mistake", arguments: [99, 100, 199, 600])
    func badDirectResponse(_ code: Int) {
        let detail: JSONValue = [
            "@type": "x", "code": .integer(Int64(code)), "headers": ["a b": "c", "d": "e\r\nf", "connection": "close"],
        ]
        let fields = PolicyDispatcher.of([policyObject("denier", "deny", ["status": ["details": [detail]]])])
            .configuration.diagnoses.map(\.field)

        let place = "spec.status.details[0]"
        #expect(
            fields.sorted() == [
                "\(place).@type", "\(place).code", "\(place).headers.a b", "\(place).headers.connection",
                "\(place).headers.d",
            ]
        )
    }
}
