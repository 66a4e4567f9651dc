import Foundation
import KubernetesAPI
import PolicyEngine
import ServerlessAPI
import SwiftProtobuf
import Synchronization
import Testing

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
    path: "../../../../shared/reference/kactivator"
)

/// The published objects of the kactivator prototype as they are, where they are at hand: they are not ours to copy.
@Suite(.enabled(if: FileManager.default.fileExists(atPath: folder.path), "they are not beside the project"))
struct KactivatorObjectTests {

    private func objects() throws -> [KubernetesObject] {
        try ["attributes", "template", "adapter", "sample_operator_cfg"].flatMap { name in
            let text = try String(contentsOf: folder.appending(path: "\(name).yaml"), encoding: .utf8)
            return try YAML.documents(text, file: name).map { KubernetesObject(json: $0.value) }
        }
    }

    @Test("They have no mistakes")
    func loads() throws {
        let configuration = PolicyDispatcher.of(try self.objects()).configuration

        #expect(configuration.diagnoses.map(\.description) == [])
        #expect(configuration.handlers.count == 1)
        #expect(configuration.ruleCount == 1)
    }

    @Test("A check by them calls the adapter with what the instance says")
    func asks() async throws {
        let adapter = TestAdapter()
        adapter.state.withLock { $0.answer = .success(.with { $0.validDuration.seconds = 240 }) }
        try await withEngine(
            adapter.services,
            { address in
                var objects = try self.objects()
                for index in objects.indices where objects[index].kind == "handler" {
                    objects[index].json[path: "spec", "connection", "address"] = .string(address)
                    // Two seconds, which hold otherwise, are few where all tests run at once.
                    objects[index].json[path: "spec", "connection", "timeout"] = "30s"
                }
                return objects
            }
        ) { engine in
            let vocabulary = engine.dispatcher.configuration.vocabulary
            var bag = AttributeBag(vocabulary)
            let values: [String: AttributeValue] = [
                "request.auth.principal": .string("ann"), "request.auth.claims": .stringMap(["groups": "staff"]),
                "destination.namespace": .string("shop"), "request.path": .string("/cart"),
                "destination.service.host": .string("cart.shop.svc.cluster.local"),
            ]
            for (name, value) in values {
                if let slot = vocabulary.slot(of: name) { bag[slot] = value }
            }
            let answer = await engine.dispatcher.check(bag)

            #expect(answer.status == .ok)
            #expect(answer.validDuration == .seconds(240))
            #expect(answer.validUseCount == 0)
        }
        let request = try #require(adapter.state.withLock { $0.requests.first })
        let wanted = Authorization_InstanceMsg.with {
            $0.name = "kactivator.instance.istio-system"
            $0.subject.user = "ann"
            $0.subject.groups = "staff"
            $0.action.namespace = "shop"
            $0.action.service = "cart.shop.svc.cluster.local"
            $0.action.path = "/cart"
            $0.action.method = "post"
        }
        #expect(request.instance == wanted)
        #expect(request.adapterConfig.typeURL == "type.googleapis.com/adapter.kactivator.config.Params")
        let settings = try Authorization_Params(serializedBytes: request.adapterConfig.value)
        #expect(settings.autoscalerEndpoint == "ws://autoscaler.knative-serving.svc.local:8080")
    }
}
