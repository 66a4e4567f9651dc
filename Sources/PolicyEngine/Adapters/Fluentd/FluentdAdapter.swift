internal import KubernetesAPI
package import NIOCore
internal import Synchronization

/// Sends log entries to fluentd or whoever else speaks its Forward protocol (version 1), by TCP.
///
/// The tag is the instance's name; the record has its variables and `severity`. A batch counts as sent when the server
/// has said so. Until then it is sent again.
///
/// - `address` (default `localhost:24224`), `integer_duration` (default false): durations are whole milliseconds, not
///   texts such as `1.5s`.
/// - `instance_buffer_size` (default 1024, up to 100000): entries that wait; more are lost.
/// - `max_batch_size_bytes` (default 1 MiB, from 1 kB to 8 MiB), `push_interval_duration` (default `1s`): a batch is no
///   larger, and is not put off for longer. `push_timeout_duration` (default `10s`): the server must have it by then.
final class FluentdAdapter: PolicyHandler {
    static let kind = AdapterKind("fluentd", templates: ["logentry"]) { settings, context in
        let endpoint = settings.endpoint("address", standard: "localhost:24224", defaultPort: 24224)
        let interval = settings.duration("push_interval_duration") ?? .seconds(1)
        let timeout = settings.duration("push_timeout_duration") ?? .seconds(10)
        if interval < .milliseconds(10) { settings.complain("push_interval_duration", "must be 10ms or more") }
        if timeout < .milliseconds(100) { settings.complain("push_timeout_duration", "must be 100ms or more") }
        return FluentdAdapter(
            queue: ForwardQueue(
                entriesMax: Int(settings.whole("instance_buffer_size", in: 1...100_000) ?? 1024),
                batchBytesMax: Int(settings.whole("max_batch_size_bytes", in: 1000...8_388_608) ?? 1 << 20)
            ),
            link: endpoint.map { ForwardLink($0, timeout: timeout) },
            interval: interval,
            areDurationsWhole: settings.truth("integer_duration") ?? false,
            drops: DropCounter(context)
        )
    }

    private let queue: Mutex<ForwardQueue>
    private let link: ForwardLink?
    private let interval: Duration
    private let areDurationsWhole: Bool
    private let drops: DropCounter
    private let bell: AsyncStream<Void>
    private let ringer: AsyncStream<Void>.Continuation

    private init(
        queue: ForwardQueue,
        link: ForwardLink?,
        interval: Duration,
        areDurationsWhole: Bool,
        drops: DropCounter
    ) {
        self.queue = Mutex(queue)
        self.link = link
        self.interval = interval
        self.areDurationsWhole = areDurationsWhole
        self.drops = drops
        (self.bell, self.ringer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func report(_ instances: [InstanceData]) async throws {
        for instance in instances {
            let bytes = ForwardEntry.bytes(of: instance, areDurationsWhole: self.areDurationsWhole)
            switch self.queue.withLock({ $0.add(bytes, tag: instance.name) }) {
            case .kept: ()
            case .batchReady: self.ringer.yield()
            case .tooLarge: self.drops.count(1, .size)
            case .queueFull: self.drops.count(1, .queue)
            }
        }
    }

    /// What was kept last is due by then.
    func retire() async {
        // A sleep that is cut short has nothing to wait for.
        try? await Task.sleep(for: self.interval * 2)
    }

    /// Sends batches until the task is cancelled.
    func run() async {
        guard let link else { return }
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    // The sleep throws when the task is cancelled, which the loop's condition sees.
                    try? await Task.sleep(for: self.interval)
                    self.ringer.yield()
                }
                self.ringer.finish()
            }
            for await _ in self.bell {
                while let batch = self.queue.withLock({ $0.batch(name: Self.name()) }) {
                    let isSent = await link.send(batch)
                    if !isSent { self.drops.count(batch.count, .send) }
                }
            }
            group.cancelAll()
        }
        self.drops.count(self.queue.withLock { $0.count }, .send)
    }

    /// A batch's name: 128 random bits.
    private static func name() -> String {
        String(UInt64.random(in: 0 ... .max), radix: 36) + "-" + String(UInt64.random(in: 0 ... .max), radix: 36)
    }
}

/// An entry of a batch: `[time, record]`.
package enum ForwardEntry {
    package static func bytes(of instance: InstanceData, areDurationsWhole: Bool) -> ByteBuffer {
        var members: [(key: String, value: MessagePack)] = []
        let variables = instance.maps["variables"] ?? [:]
        for (key, value) in variables.sorted(by: { $0.key < $1.key }) {
            members.append((key, Self.value(value, areDurationsWhole)))
        }
        if variables["severity"] == nil { members.append(("severity", .text(instance.text("severity")))) }
        var time = MessagePack.time(seconds: 0, nanoseconds: 0)
        if case .timestamp(let moment)? = instance.values["timestamp"] {
            time = .time(seconds: UInt32(clamping: moment.seconds), nanoseconds: UInt32(clamping: moment.nanoseconds))
        }
        return MessagePack.list([time, .map(members)]).bytes
    }

    private static func value(_ value: AttributeValue, _ areDurationsWhole: Bool) -> MessagePack {
        switch value {
        case .int64(let number): .number(number)
        case .double(let number): .double(number)
        case .bool(let truth): .bool(truth)
        case .duration(let duration) where areDurationsWhole: .number(Int64(duration / .milliseconds(1)))
        case .stringMap(let entries):
            .map(entries.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) })
        case .string, .emailAddress, .dnsName, .uri, .timestamp, .duration, .ipAddress: .text(value.plainText)
        }
    }
}
