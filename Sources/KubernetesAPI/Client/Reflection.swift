import Logging

/// A change of the set of objects that a reflection follows.
package enum ObjectChange: Sendable, Hashable {
    /// The whole set, after each list; whatever is not in it has gone.
    case replacedAll([KubernetesObject])
    case added(KubernetesObject)
    case modified(KubernetesObject)
    /// With the last state that was known.
    case deleted(KubernetesObject)
}

/// Decides, without doing it, what a reflection does next: list, watch on, or wait.
package struct ReflectionMachine: Sendable {
    package enum Step: Sendable, Hashable {
        case list
        case watch(resourceVersion: String)
    }

    private var resourceVersion: String?
    private var backOff: BackOff
    /// Whether the current watch delivered anything.
    private var watchWasUseful = false

    package init(seed: UInt64) { self.backOff = BackOff(base: .milliseconds(100), max: .seconds(10), seed: seed) }

    package var next: Step { self.resourceVersion.map(Step.watch) ?? .list }

    package mutating func listed(resourceVersion: String) {
        self.resourceVersion = resourceVersion
        self.backOff.reset()
        self.watchWasUseful = false
    }

    /// What the caller passes on for an event; throws what ends the watch.
    package mutating func received(_ event: WatchEvent) throws(KubernetesError) -> ObjectChange? {
        switch event {
        case .added(let object):
            self.advance(to: object.resourceVersion)
            return .added(object)
        case .modified(let object):
            self.advance(to: object.resourceVersion)
            return .modified(object)
        case .deleted(let object):
            self.advance(to: object.resourceVersion)
            return .deleted(object)
        case .bookmark(let version):
            self.advance(to: version)
            return nil
        case .failed(let status):
            throw KubernetesError(code: .refused, status: status, message: status.message)
        }
    }

    /// The watch ended without an error, as it does from time to time.
    ///
    /// - Returns: How long to wait. A server that ends watches at once must not be hammered.
    package mutating func watchEnded(after lifetime: Duration) -> Duration {
        defer { self.watchWasUseful = false }
        if self.watchWasUseful || lifetime >= .seconds(1) {
            self.backOff.reset()
            return .zero
        }
        return self.backOff.next()
    }

    /// A list or a watch failed.
    ///
    /// A broken connection is taken up where it broke. What the server refuses to continue is listed anew, and so is
    /// what it said in a way we could not read.
    package mutating func failed(_ error: any Error) -> Duration {
        defer { self.watchWasUseful = false }
        if self.watchWasUseful { self.backOff.reset() }
        guard let error = error as? KubernetesError else { return self.backOff.next() }
        switch error.code {
        case .unreachable, .timedOut: ()
        case .refused, .malformedAnswer, .tooLarge: self.resourceVersion = nil
        }
        // An expired version is nobody's fault: list at once, unless it happens again and again.
        return error.isGone && self.backOff.isFresh ? self.backOff.next() / 100 : self.backOff.next()
    }

    private mutating func advance(to version: String) {
        self.watchWasUseful = true
        if !version.isEmpty { self.resourceVersion = version }
    }
}

/// Waiting times that double up to a limit, with jitter so that clients do not come back together.
package struct BackOff: Sendable {
    private let base: Duration
    private let max: Duration
    private var failures = 0
    private var state: UInt64

    package init(base: Duration, max: Duration, seed: UInt64) {
        self.base = base
        self.max = max
        self.state = seed
    }

    package var isFresh: Bool { self.failures == 0 }

    package mutating func reset() { self.failures = 0 }

    /// Between half and all of the doubled time.
    package mutating func next() -> Duration {
        let full = Swift.min(self.max, self.base * (1 << Swift.min(self.failures, 20)))
        self.failures += 1
        // SplitMix64, good enough to spread clients.
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        let share = Double((mixed ^ (mixed >> 31)) >> 11) / Double(1 << 53)
        return full / 2 + full * (share / 2)
    }
}

extension KubernetesClient {
    /// Keeps the caller informed of all objects of a type, until the task is cancelled.
    ///
    /// Lists, then watches on from there; after errors it waits and goes on. `onSynced` is called once, after the
    /// first list was delivered, or when the server turned out not to have the type. Changes come one at a time, in order.
    package func reflect(
        _ type: ResourceType,
        namespace: String? = nil,
        labelSelector: String? = nil,
        fieldSelector: String? = nil,
        onSynced: @Sendable () async -> Void = {},
        onChange: @Sendable (ObjectChange) async -> Void
    ) async {
        var machine = ReflectionMachine(seed: UInt64.random(in: .min ... .max))
        var isSynced = false
        var lastComplaint = ""
        while !Task.isCancelled {
            let wait: Duration
            let start = ContinuousClock.now
            do {
                switch machine.next {
                case .list:
                    let list = try await self.list(
                        type,
                        namespace: namespace,
                        labelSelector: labelSelector,
                        fieldSelector: fieldSelector
                    )
                    machine.listed(resourceVersion: list.resourceVersion)
                    await onChange(.replacedAll(list.items))
                    if !isSynced { await onSynced() }
                    isSynced = true
                    lastComplaint = ""
                    wait = .zero
                case .watch(let version):
                    try await self.watch(
                        type,
                        namespace: namespace,
                        labelSelector: labelSelector,
                        fieldSelector: fieldSelector,
                        resourceVersion: version
                    ) { event in
                        if let change = try machine.received(event) { await onChange(change) }
                    }
                    wait = machine.watchEnded(after: ContinuousClock.now - start)
                }
            } catch {
                if Task.isCancelled { return }
                wait = machine.failed(error)
                // A type that the server does not have (yet) has no objects; it is asked for again all the same.
                if !isSynced, (error as? KubernetesError)?.isNotFound == true {
                    await onChange(.replacedAll([]))
                    await onSynced()
                    isSynced = true
                }
                let complaint = "\(error)"
                // The same complaint again and again says nothing new.
                let level: Logger.Level = complaint == lastComplaint ? .debug : .warning
                self.logger.log(
                    level: level,
                    "cannot follow objects, trying again",
                    metadata: ["type": "\(type.qualifiedName)", "error": "\(complaint)"]
                )
                lastComplaint = complaint
            }
            if wait > .zero {
                do { try await Task.sleep(for: wait) } catch { return }
            }
        }
    }
}
