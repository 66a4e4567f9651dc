internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Sends metrics to a statsd server by UDP.
///
/// - `address` (default `localhost:8125`), `prefix` (in front of each name, with a dot).
/// - `metrics`: from the name of an instance to `type` (COUNTER, GAUGE, DISTRIBUTION) and `name_template` (default: the
///   instance's name; `{{.method}}` is the dimension `method`).
/// - `sampling_rate` (default 1): the part of counters' and distributions' values that is sent.
/// - `flush_duration` (default `300ms`), `flush_bytes` (default 512): a packet waits no longer, and is no larger.
final class StatsdAdapter: PolicyHandler {
    static let kind = AdapterKind("statsd", templates: ["metric"]) { settings, context in
        let endpoint = settings.endpoint("address", standard: "localhost:8125", defaultPort: 8125)
        let flushBytes = settings.whole("flush_bytes", in: 300...65_000) ?? 512
        let interval = settings.duration("flush_duration") ?? .milliseconds(300)
        if interval < .milliseconds(10) { settings.complain("flush_duration", "must be 10ms or more") }
        let rate = settings.number("sampling_rate") ?? 1
        if !(rate > 0 && rate <= 1) { settings.complain("sampling_rate", "must be above 0, up to 1") }
        var prefix = settings.text("prefix") ?? ""
        if !prefix.isEmpty, !prefix.hasSuffix(".") { prefix += "." }
        return StatsdAdapter(
            metrics: StatsdAdapter.metrics(settings, context, prefix: prefix, rate: rate),
            endpoint: endpoint,
            buffer: StatsdBuffer(packetBytesMax: Int(flushBytes)),
            interval: interval,
            drops: DropCounter(context)
        )
    }

    private static func metrics(
        _ settings: SettingsReader,
        _ context: AdapterKind.Context,
        prefix: String,
        rate: Double
    ) -> [(instance: ObjectReference, metric: StatsdMetric)] {
        var metrics: [(instance: ObjectReference, metric: StatsdMetric)] = []
        for (name, value) in settings.members("metrics") {
            let reader = settings.child(value, "metrics[\(name)]")
            let reference = ObjectReference(name, from: context.namespace)
            let template = reader.text("name_template").flatMap { $0.isEmpty ? nil : $0 } ?? reference.name
            guard let parsed = StatsdMetric.Name(template) else {
                reader.complain("name_template", "may have {{.DIMENSION}} in it and no other braces")
                continue
            }
            let instance = context.instances.first(where: reference.matches)
            for dimension in parsed.dimensions where instance?.mapTypes["dimensions"]?[dimension] == nil {
                // Rules may send no such instance yet; then nobody can tell.
                if instance != nil { reader.complain("name_template", "the instance has no dimension \(dimension)") }
            }
            guard let kind = reader.word("type", StatsdMetric.Kind.self) else {
                if reader.value("type") == nil { reader.complain("type", "is missing: COUNTER, GAUGE or DISTRIBUTION") }
                continue
            }
            metrics.append((reference, StatsdMetric(prefix: prefix, name: parsed, kind: kind, rate: rate)))
        }
        return metrics
    }

    private let metrics: [(instance: ObjectReference, metric: StatsdMetric)]
    private let endpoint: Endpoint?
    private let buffer: Mutex<StatsdBuffer>
    private let interval: Duration
    private let drops: DropCounter
    private let bell: AsyncStream<Bool>
    private let ringer: AsyncStream<Bool>.Continuation

    private init(
        metrics: [(instance: ObjectReference, metric: StatsdMetric)],
        endpoint: Endpoint?,
        buffer: StatsdBuffer,
        interval: Duration,
        drops: DropCounter
    ) {
        self.metrics = metrics
        self.endpoint = endpoint
        self.buffer = Mutex(buffer)
        self.interval = interval
        self.drops = drops
        (self.bell, self.ringer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func report(_ instances: [InstanceData]) async throws {
        for instance in instances {
            guard let (_, metric) = self.metrics.first(where: { $0.instance.matches(instance) }) else {
                self.drops.count(1, .handler)
                continue
            }
            guard instance.values["value"]?.number?.isFinite == true else {
                self.drops.count(1, .value)
                continue
            }
            // What is not in the sample is not lost: the server multiplies what is.
            guard let line = metric.line(instance, luck: Double.random(in: 0..<1)) else { continue }
            switch self.buffer.withLock({ $0.add(line) }) {
            case .kept: ()
            case .packetReady: self.ringer.yield(false)
            case .tooLong: self.drops.count(1, .size)
            case .queueFull: self.drops.count(1, .queue)
            }
        }
    }

    /// What was kept last is due by then.
    func retire() async {
        // A sleep that is cut short has nothing to wait for.
        try? await Task.sleep(for: self.interval * 2)
    }

    /// Sends what is full at once and the rest from time to time, until the task is cancelled.
    func run() async {
        guard let endpoint else { return }
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    // The sleep throws when the task is cancelled, which the loop's condition sees.
                    try? await Task.sleep(for: self.interval)
                    self.ringer.yield(true)
                }
                self.ringer.finish()
            }
            let socket = StatsdSocket(endpoint)
            for await isTime in self.bell {
                let packets = self.buffer.withLock { $0.take(all: isTime) }
                if packets.isEmpty { continue }
                let lost = await socket.send(packets)
                if lost > 0 {
                    self.drops.count(packets[..<lost].reduce(0) { $0 + $1.split(separator: "\n").count }, .send)
                }
            }
            await socket.close()
            group.cancelAll()
        }
    }
}
