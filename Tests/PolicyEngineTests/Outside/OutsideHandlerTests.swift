import Foundation
import GRPCCore
import KubernetesAPI
import Logging
import MixerAPI
import PolicyEngine
import ServerlessAPI
import SwiftProtobuf
import Synchronization
import Testing

/// The engine against an adapter that is a gRPC server beside it.
@Suite struct OutsideHandlerTests {
    private static let call = request([
        "request.path": .string("/a"), "source.principal": .string("ann"), "request.size": .int64(5),
    ])

    @Test("An adapter without sessions gets instance, settings and an id with every call, and its answer counts")
    func asks() async throws {
        let adapter = TestAdapter()
        adapter.state.withLock {
            $0.answer = .success(
                .with {
                    $0.status.code = 7
                    $0.status.message = "not ann"
                    $0.validDuration.seconds = 240
                    $0.validUseCount = 3
                }
            )
        }
        try await withEngine(adapter.services, { outsideObjects(address: $0) }) { engine in
            let answer = await engine.dispatcher.check(Self.call)
            _ = await engine.dispatcher.check(Self.call)

            #expect(answer.status == PolicyStatus(.permissionDenied, "h.istio-system:not ann"))
            #expect(answer.validDuration == .seconds(240))
            #expect(answer.validUseCount == 3)
        }
        let requests = adapter.state.withLock { $0.requests }
        let first = try #require(requests.first)
        #expect(first.instance.name == "i.instance.istio-system")
        #expect(first.instance.subject.user == "ann")
        #expect(first.instance.action.path == "/a")
        #expect(first.adapterConfig.typeURL == "type.googleapis.com/test.settings.Params")
        #expect(try Authorization_Params(serializedBytes: first.adapterConfig.value).autoscalerEndpoint == "here")
        #expect(Set(requests.map(\.dedupID)).count == 2)
    }

    @Test("An adapter that fails, or answers nonsense, has no verdict: UNAVAILABLE, and not for long")
    func failures() async throws {
        let adapter = TestAdapter()
        let environment = TestEnvironment()
        try await withEngine(adapter.services, in: environment, { outsideObjects(address: $0) }) { engine in
            for code: RPCError.Code in [.internalError, .permissionDenied, .notFound] {
                adapter.state.withLock { $0.answer = .failure(RPCError(code: code, message: "broken")) }
                let answer = await engine.dispatcher.check(Self.call)
                #expect(answer.status.code == .unavailable)
                #expect(answer.validDuration == .zero)
                #expect(answer.validUseCount == 0)
            }
        }
        let page = environment.metrics.page(now: .zero)
        #expect(page.contains(#"lateen_adapter_calls_total{handler="h.istio-system",result="failed"} 3"#))
    }

    @Test("A refusal with INTERNAL, which proxies take for a broken network, or with no code at all, is UNKNOWN")
    func verdicts() async throws {
        let adapter = TestAdapter()
        try await withEngine(adapter.services, { outsideObjects(address: $0) }) { engine in
            for (code, wanted): (Int32, Int32) in [(13, 2), (99, 2), (-1, 2), (16, 16), (14, 14)] {
                adapter.state.withLock { $0.answer = .success(.with { $0.status.code = code }) }
                let answer = await engine.dispatcher.check(Self.call)
                #expect(answer.status.code.number == wanted)
            }
        }
    }

    /// An answer that refuses, with a response of these bytes.
    private static func refusal(
        _ response: [UInt8],
        type: String = "istio.policy.v1beta1.DirectHttpResponse"
    ) throws -> Authorization_CheckResult {
        let message = Istio_Mixer_Adapter_Model_V1beta1_CheckResult.with {
            $0.status.code = 7
            $0.status.details = [
                .with {
                    $0.typeURL = "type.googleapis.com/\(type)"
                    $0.value = Data(response)
                }
            ]
        }
        // The adapter's own message lacks the member, and passes it on as one that it does not know.
        let bytes: [UInt8] = try message.serializedBytes()
        return try Authorization_CheckResult(serializedBytes: bytes)
    }

    /// A header as an entry of the map.
    private static func header(_ name: String, _ value: String) -> [UInt8] {
        let entry =
            [0x0a, UInt8(name.utf8.count)] + Array(name.utf8) + [0x12, UInt8(value.utf8.count)] + Array(value.utf8)
        return [0x1a, UInt8(entry.count)] + entry
    }

    @Test("A refusal words the response itself, headers included; what no proxy would give is left out")
    func response() async throws {
        let adapter = TestAdapter()
        try await withEngine(adapter.services, { outsideObjects(address: $0) }) { engine in
            func response(_ answer: Authorization_CheckResult) async -> DirectResponse? {
                adapter.state.withLock { $0.answer = .success(answer) }
                let answer = await engine.dispatcher.check(Self.call)
                #expect(answer.status.code == .permissionDenied)
                return answer.response
            }
            // 302 is 0xae 0x02 as a varint.
            let moved: [UInt8] = [0x08, 0xae, 0x02, 0x12, 2, 0x67, 0x6f]

            let whole = try await response(Self.refusal(moved + Self.header("location", "/login")))
            let odd = try await response(
                Self.refusal([0x08, 100] + Self.header("connection", "close") + Self.header("x-a", "b"))
            )
            let broken = try await response(Self.refusal([0x12, 9, 0x61]))
            let other = try await response(Self.refusal(moved, type: "google.rpc.ErrorInfo"))

            #expect(whole == DirectResponse(code: 302, body: "go", headers: ["location": "/login"]))
            #expect(odd == DirectResponse(code: 0, headers: ["x-a": "b"]))
            #expect(broken == nil)
            #expect(other == nil)
        }
    }

    @Test("Nobody at the address is UNAVAILABLE, with the address in the text")
    func unreachable() async throws {
        // Port 1 of loopback has nobody.
        let configuration = PolicyDispatcher.of(outsideObjects(address: "127.0.0.1:1")).configuration
        let engine = PolicyServer(configuration, logger: Logger(label: "test"))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await engine.run() }
            let answer = await engine.dispatcher.check(Self.call)
            group.cancelAll()

            #expect(answer.status.code == .unavailable)
            // On a busy machine the call's time may run out before the refusal has come back.
            #expect(answer.status.message.hasPrefix("h.istio-system:the adapter at 127.0.0.1:1 "))
        }
    }

    @Test("A session is opened once, with settings and types, and named in every call")
    func session() async throws {
        let adapter = TestAdapter()
        adapter.state.withLock { $0.sessions = [] }
        try await withEngine(adapter.services, { outsideObjects(address: $0, isSessionBased: true) }) { engine in
            await withTaskGroup(of: PolicyStatus.self) { group in
                for _ in 0..<20 { group.addTask { await engine.dispatcher.check(Self.call).status } }
                for await status in group { #expect(status == .ok) }
            }
        }
        let state = adapter.state.withLock { $0 }
        #expect(state.requests.count == 20)
        #expect(state.created.count == 1)
        let created = try #require(state.created.first)
        #expect(created.adapterConfig.typeURL == "type.googleapis.com/test.settings.Params")
        let type = try #require(created.inferredTypes["i.instance.istio-system"])
        #expect(type.typeURL == "type.googleapis.com/authorization.Type")
        // action (2) { properties (5) { key: "size" value: INT64 } }
        #expect(Array(type.value) == [0x12, 10, 0x2a, 8, 0x0a, 4, 0x73, 0x69, 0x7a, 0x65, 0x10, 2])
    }

    @Test("An adapter that has forgotten its sessions is given a new one, and the call is made again")
    func forgotten() async throws {
        let adapter = TestAdapter()
        adapter.state.withLock { $0.sessions = [] }
        try await withEngine(adapter.services, { outsideObjects(address: $0, isSessionBased: true) }) { engine in
            let before = await engine.dispatcher.check(Self.call)
            adapter.state.withLock { $0.sessions = [] }
            let after = await engine.dispatcher.check(Self.call)

            #expect(before.status == .ok)
            #expect(after.status == .ok)
        }
        let state = adapter.state.withLock { $0 }
        #expect(state.created.count == 2)
        let named = state.requests.map { String(decoding: $0.adapterConfig.value, as: UTF8.self) }
        #expect(named == ["session-1", "session-1", "session-2"])
        #expect(state.requests[1].dedupID == state.requests[2].dedupID)
    }

    @Test("A call that fails in a new session, too, costs the others nothing, and the session before is closed")
    func badCall() async throws {
        let adapter = TestAdapter()
        adapter.state.withLock {
            $0.sessions = []
            $0.broken = ["/bad"]
        }
        let bad = request(["request.path": .string("/bad")])
        var closed: String?
        try await withEngine(adapter.services, { outsideObjects(address: $0, isSessionBased: true) }) { engine in
            #expect(await engine.dispatcher.check(Self.call).status == .ok)
            for _ in 1...3 { #expect(await engine.dispatcher.check(bad).status.code == .unavailable) }
            #expect(await engine.dispatcher.check(Self.call).status == .ok)
            var closings = adapter.closed.stream.makeAsyncIterator()
            closed = await closings.next()
        }
        #expect(closed == "session-1")
        let state = adapter.state.withLock { $0 }
        // The clock stands still: it is not time for a third one.
        #expect(state.created.count == 2)
        let named = state.requests.map { String(decoding: $0.adapterConfig.value, as: UTF8.self).suffix(1) }
        #expect(named == ["1", "1", "2", "2", "2", "2"])
    }

    @Test("Settings that the adapter refuses are told as the reason of the refusal")
    func invalid() async throws {
        let adapter = TestAdapter()
        adapter.state.withLock {
            $0.sessions = []
            $0.validation.code = 3
            $0.validation.message = "no such place"
        }
        try await withEngine(adapter.services, { outsideObjects(address: $0, isSessionBased: true) }) { engine in
            let answer = await engine.dispatcher.check(Self.call)

            #expect(answer.status.code == .unavailable)
            #expect(answer.status.message.hasSuffix("refuses the settings: no such place"))
        }
        #expect(adapter.state.withLock { $0.created.isEmpty && $0.requests.isEmpty })
    }
}
