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

/// Quota, reports and checks with an output, against an adapter that speaks in bytes.
@Suite struct OutsideVarietyTests {
    private struct Coding: MessageSerializer, MessageDeserializer {
        func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
        func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
            bytes.withUnsafeBytes { Array($0) }
        }
    }

    private final class Adapter: RegistrableRPCService {
        let answer: [UInt8]
        let requests = Mutex<[[UInt8]]>([])

        init(_ answer: [UInt8]) { self.answer = answer }

        func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
            router.registerHandler(
                forMethod: MethodDescriptor(
                    fullyQualifiedService: "authorization.HandleAuthorizationService",
                    method: "HandleAuthorization"
                ),
                deserializer: Coding(),
                serializer: Coding()
            ) { request, _ in
                let request = try await ServerRequest(stream: request)
                self.requests.withLock { $0.append(request.message) }
                return StreamingServerResponse(single: ServerResponse(message: self.answer))
            }
        }
    }

    @Test("A request for quota says how much, under the name by which the answer is found")
    func quota() async throws {
        let name = "i.instance.istio-system"
        let answer = Istio_Mixer_Adapter_Model_V1beta1_QuotaResult.with {
            $0.quotas[name] = .with {
                $0.grantedAmount = 9
                $0.validDuration.seconds = 2
            }
        }
        let adapter = Adapter(try answer.serializedBytes())
        try await withEngine([adapter], { outsideObjects(address: $0, variety: 2) }) { engine in
            let asked = QuotaRequest(amount: 5, bestEffort: true, deduplicationID: "once")
            let granted = await engine.dispatcher.quota("i", asked, request([:]))

            #expect(granted.status == .ok)
            // No more than was asked for.
            #expect(granted.amount == 5)
            #expect(granted.validDuration == .seconds(2))
        }
        let bytes = try #require(adapter.requests.withLock { $0.first })
        let message = try Authorization_HandleAuthorizationRequest(serializedBytes: bytes)
        #expect(message.instance.name == name)
        #expect(message.dedupID == "once")
        let rest = Array(message.unknownFields.data)
        let tag: UInt8 = 4 << 3 | 2
        #expect(rest.first == tag)
        let asked = try Istio_Mixer_Adapter_Model_V1beta1_QuotaRequest(serializedBytes: Array(rest.dropFirst(2)))
        #expect(asked.quotas[name]?.amount == 5)
        #expect(asked.quotas[name]?.bestEffort == true)
    }

    @Test("An answer without the quota that was asked for grants nothing")
    func otherQuota() async throws {
        try await withEngine([Adapter([])], { outsideObjects(address: $0, variety: 2) }) { engine in
            let granted = await engine.dispatcher.quota("i", QuotaRequest(amount: 5), request([:]))

            #expect(granted.status.code == .unavailable)
            #expect(granted.amount == 0)
        }
    }

    @Test("What is reported at once is one call, and what is not taken is counted")
    func reports() async throws {
        let adapter = Adapter([])
        let bags = ["/a", "/b", "/c"].map { request(["request.path": .string($0)]) }
        try await withEngine([adapter], { outsideObjects(address: $0, variety: 1) }) { engine in
            await engine.dispatcher.report(bags)
        }
        let requests = adapter.requests.withLock { $0 }
        #expect(requests.count == 1)
        // The last instance counts where there may be but one; all three are there.
        let bytes = try #require(requests.first)
        let message = try Authorization_HandleAuthorizationRequest(serializedBytes: bytes)
        #expect(message.instance.action.path == "/c")
        for path in ["/a", "/b", "/c"] { #expect(bytes.firstRange(of: Array(path.utf8)) != nil) }

        let environment = TestEnvironment()
        let engine = PolicyServer(
            PolicyDispatcher.of(outsideObjects(address: "127.0.0.1:1", variety: 1), in: environment).configuration,
            logger: Logger(label: "test")
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await engine.run() }
            await engine.dispatcher.report(bags)
            group.cancelAll()
        }
        let lost = #"lateen_adapter_instances_lost_total{handler="h.istio-system"} 3"#
        #expect(environment.metrics.page(now: .zero).contains(lost))
        let dropped = #"lateen_policy_dropped_total{source="h.istio-system",reason="handler"} 3"#
        #expect(environment.metrics.page(now: .zero).contains(dropped))
    }

    /// The template `authorization` with an output, for checks.
    private func outputObjects(_ address: String) -> [KubernetesObject] {
        var template = authorizationFile(variety: 4)
        let value = ".istio.policy.v1beta1"
        template.messageType += [
            type(
                "OutputMsg",
                [
                    field("owner", 1, .string), field("level", 2, .sint32),
                    field("from", 3, .message, "\(value).IPAddress"),
                    field("more", 4, .message, ".authorization.OutputMsg.MoreEntry", many: true),
                    field("any", 5, .message, "\(value).Value"), field("unset", 6, .bool),
                ],
                nested: [entryType("MoreEntry", .string)]
            ),
            type(
                "HandleAuthorizationResponse",
                [
                    field("result", 1, .message, ".istio.mixer.adapter.model.v1beta1.CheckResult"),
                    field("output", 2, .message, ".authorization.OutputMsg"),
                ]
            ),
        ]
        template.service = [
            .with {
                $0.name = "HandleAuthorizationService"
                $0.method = [
                    .with {
                        $0.name = "HandleAuthorization"
                        $0.outputType = ".authorization.HandleAuthorizationResponse"
                    }
                ]
            }
        ]
        var objects = outsideObjects(address: address)
        objects[0] = templateObject("authorization", descriptors(timeFile, valueFile, template))
        objects[4] = policyObject(
            "rule",
            "r",
            [
                "actions": [["name": "a", "handler": "h", "instances": ["i"]]],
                "requestHeaderOperations": [
                    ["name": "x-owner", "values": ["a.output.owner"]],
                    ["name": "x-level", "values": ["a.output.level"]],
                    ["name": "x-from", "values": ["a.output.from"]], ["name": "x-more", "values": ["a.output.more"]],
                    ["name": "x-any", "values": ["a.output.any"]], ["name": "x-unset", "values": ["a.output.unset"]],
                ],
            ]
        )
        return objects
    }

    @Test("The output of a check becomes headers")
    func output() async throws {
        var output: [UInt8] = [0x0a, 3, 0x61, 0x6e, 0x6e, 0x10, 3]
        output += [0x1a, 6, 0x0a, 4, 1, 2, 3, 4]
        output += [0x22, 6, 0x0a, 1, 0x6b, 0x12, 1, 0x76]
        output += [0x2a, 2, 0x10, 7]
        let message = Istio_Mixer_Adapter_Model_V1beta1_CheckResult.with { $0.validUseCount = 4 }
        let result: [UInt8] = try message.serializedBytes()
        var answer: [UInt8] = [0x0a, UInt8(result.count)]
        answer += result
        answer += [0x12, UInt8(output.count)]
        answer += output
        try await withEngine([Adapter(answer)], self.outputObjects) { engine in
            let answer = await engine.dispatcher.check(request([:]))

            #expect(answer.status == .ok)
            #expect(answer.validUseCount == 4)
            #expect(
                answer.requestHeaders.map { "\($0.name)=\($0.value)" } == [
                    "x-owner=ann", "x-level=-2", "x-from=1.2.3.4", #"x-more={"k": "v"}"#, "x-any=7", "x-unset=false",
                ]
            )
        }
    }

    @Test("An output that is cut off is no answer")
    func brokenOutput() async throws {
        try await withEngine([Adapter([0x12, 2, 0x0a, 3])], self.outputObjects) { engine in
            let answer = await engine.dispatcher.check(request([:]))

            #expect(answer.status.code == .unavailable)
            #expect(answer.requestHeaders.isEmpty)
        }
    }
}
