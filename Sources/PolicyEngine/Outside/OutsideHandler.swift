internal import Foundation
internal import KubernetesAPI
internal import MixerAPI
internal import SwiftProtobuf
internal import Synchronization

/// A handler whose adapter is a process of its own, asked by gRPC with the messages that its template describes.
///
/// Adapters without sessions get the handler's settings with every call. Those with sessions get them once, by
/// `istio.mixer.adapter.model.v1beta1.InfrastructureBackend`, and the name of the session with every call. Whatever
/// keeps an answer from coming is thrown, and is UNAVAILABLE in the end; an answer is a verdict, whatever it says.
final class OutsideHandler: PolicyHandler {
    private typealias Failure = AdapterClient.Failure

    private static let backend = "istio.mixer.adapter.model.v1beta1.InfrastructureBackend"
    /// What one report may hold; a call's message has 4 MiB at most where nobody has said otherwise.
    static let reportBytesMax = 2 << 20

    private let name: String
    private let adapter: OutsideAdapterForm
    /// The settings as a `google.protobuf.Any`; empty if the adapter has none.
    private let settings: [UInt8]
    /// `inferred_types`: what stands in the fields of the instances.
    private let types: [(name: String, type: [UInt8])]
    private let client: AdapterClient
    private let sessions: SessionKeeper?
    private let callCount = Mutex<UInt64>(0)
    /// Tells this process's calls from those of the one before, in `dedup_id`.
    private let seed = UInt64.random(in: .min ... .max)

    init(
        adapter: OutsideAdapterForm,
        connection: AdapterConnection,
        settings: [UInt8]?,
        context: AdapterKind.Context
    ) {
        self.name = context.handler
        self.adapter = adapter
        self.settings = settings ?? []
        self.types = context.instances.compactMap { instance in
            guard let outside = instance.outside, let type = outside.inferredType,
                let name = instance.schema.outside?.typeMessage
            else { return nil }
            return (outside.name, AnyMessage.bytes(url: "type.googleapis.com/\(name.dropFirst())", type))
        }
        self.client = AdapterClient(connection, handler: context.handler, environment: context.environment)
        self.sessions = adapter.isSessionBased ? SessionKeeper(seed: self.seed, now: context.environment.now) : nil
    }

    // MARK: Questions

    func check(_ instance: InstanceData) async throws -> CheckResult {
        let template = try self.template(instance)
        return try await self.ask(template, [instance], read: { AdapterAnswer.check($0, template) })
    }

    func quota(_ instance: InstanceData, _ request: QuotaRequest) async throws -> QuotaResult {
        let template = try self.template(instance)
        let name = instance.outsideName
        var question = WireWriter()
        // `istio.mixer.adapter.model.v1beta1.QuotaRequest`
        let message = Istio_Mixer_Adapter_Model_V1beta1_QuotaRequest.with {
            $0.quotas[name] = .with {
                $0.amount = request.amount
                $0.bestEffort = request.bestEffort
            }
        }
        question.field(4, try message.serializedBytes() as [UInt8])
        return try await self.ask(
            template,
            [instance],
            more: question.bytes,
            deduplicationID: request.deduplicationID,
            read: { AdapterAnswer.quota($0, name, asked: request.amount) }
        )
    }

    func report(_ instances: [InstanceData]) async throws {
        var loss: ReportLoss?
        for batch in Self.batches(instances) {
            do {
                // What a ReportResult says is nothing.
                _ = try await self.ask(try self.template(batch[0]), batch, read: { _ in true })
            } catch {
                self.client.countLost(batch.count)
                loss = ReportLoss(count: (loss?.count ?? 0) + batch.count, cause: error)
            }
        }
        if let loss { throw loss }
    }

    /// By template, and in messages that are not too large; none is empty.
    private static func batches(_ instances: [InstanceData]) -> [[InstanceData]] {
        var batches: [[InstanceData]] = []
        for (_, group) in Dictionary(grouping: instances, by: \.template).sorted(by: { $0.key < $1.key }) {
            var batch: [InstanceData] = []
            var size = 0
            for instance in group {
                if size + instance.encoded.count > Self.reportBytesMax, !batch.isEmpty {
                    batches.append(batch)
                    batch = []
                    size = 0
                }
                batch.append(instance)
                size += instance.encoded.count
            }
            batches.append(batch)
        }
        return batches
    }

    private func template(_ instance: InstanceData) throws -> OutsideTemplate {
        guard let template = self.adapter.templates[instance.template] else {
            throw PolicyStatus(.failedPrecondition, "\(self.adapter.name) does not take \(instance.template)")
        }
        return template
    }

    // MARK: Calls

    private func ask<Answer: Sendable>(
        _ template: OutsideTemplate,
        _ instances: [InstanceData],
        more: [UInt8] = [],
        deduplicationID: String = "",
        read: @escaping @Sendable ([UInt8]) -> Answer?
    ) async throws -> Answer {
        let id = deduplicationID.isEmpty ? self.nextID() : deduplicationID
        func request(_ config: [UInt8]) -> [UInt8] {
            var writer = WireWriter()
            for instance in instances { writer.field(1, instance.encoded) }
            if !config.isEmpty { writer.field(2, config) }
            writer.text(3, id)
            writer.raw(more)
            return writer.bytes
        }
        func call(_ config: [UInt8]) async throws(Failure) -> Answer {
            try await self.client.call(template.service, template.method, request(config), read: read)
        }
        do {
            guard let sessions else { return try await call(self.settings) }
            return try await self.inSession(sessions) { (id: String) async throws(Failure) -> Answer in
                try await call(AnyMessage.session(id))
            }
        } catch let failure as Failure {
            throw failure.status
        }
    }

    /// An adapter that was started anew does not know its sessions. So a call that it fails is made once more, in
    /// another one; its `dedup_id` is the same.
    private func inSession<Answer: Sendable>(
        _ sessions: SessionKeeper,
        _ call: (_ session: String) async throws(Failure) -> Answer
    ) async throws -> Answer {
        let patience = self.client.connection.timeout
        let first = try await sessions.session(within: patience)
        do throws(Failure) {
            return try await sessions.using(first) { () async throws(Failure) -> Answer in try await call(first) }
        } catch {
            // What did not reach the adapter, or was answered with nonsense, tells nothing of the session.
            guard error.kind == .failed else { throw error }
            let second = try await sessions.session(insteadOf: first, error.status, within: patience)
            do throws(Failure) {
                let answer = try await sessions.using(second) { () async throws(Failure) -> Answer in
                    try await call(second)
                }
                sessions.helped(second)
                return answer
            } catch {
                if error.kind == .failed { sessions.trusted(second) }
                throw error
            }
        }
    }

    private func nextID() -> String {
        let count = self.callCount.withLock { count in
            count += 1
            return count
        }
        return String(self.seed, radix: 36) + "-\(count)"
    }

    // MARK: Beside requests

    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.client.run() }
            if let sessions {
                group.addTask { await sessions.run { try await self.openSession() } }
                group.addTask { await sessions.runClosing { await self.closeSession($0) } }
            }
            await group.waitForAll()
        }
    }

    /// Requests of the configuration before may still be under way.
    func retire() async {
        // Who is in a hurry cancels the sleep, and the rest below fails at once.
        try? await Task.sleep(for: self.client.connection.timeout)
        for id in self.sessions?.close() ?? [] { await self.closeSession(id) }
    }

    private func closeSession(_ id: String) async {
        var writer = WireWriter()
        writer.text(1, id)
        // The adapter may be gone, and with it the session.
        _ = try? await self.client.call(Self.backend, "CloseSession", writer.bytes) { _ in true }
    }

    private func openSession() async throws -> String {
        var writer = WireWriter()
        if !self.settings.isEmpty { writer.field(1, self.settings) }
        for (name, type) in self.types {
            var entry = WireWriter()
            entry.field(1, name.utf8)
            entry.field(2, type)
            writer.field(2, entry.bytes)
        }
        do throws(Failure) {
            let validation = try await self.client.call(Self.backend, "Validate", writer.bytes) {
                AdapterAnswer.validation($0)
            }
            guard validation.isOK else {
                throw self.client.failure(.failed, "refuses the settings: \(validation.message)")
            }
            let (id, status) = try await self.client.call(Self.backend, "CreateSession", writer.bytes) {
                AdapterAnswer.session($0)
            }
            guard status.isOK else { throw self.client.failure(.failed, "opens no session: \(status.message)") }
            return id
        } catch {
            throw error.status
        }
    }
}

extension InstanceData {
    /// `NAME.instance.NAMESPACE`
    var outsideName: String { "\(self.name).instance.\(self.namespace)" }
}
