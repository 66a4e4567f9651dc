import Foundation
import MeshPush
import MeshTestSupport
import Testing

/// A machine and a proxy with a slow, breaking connection between them, by seed.
@Suite struct SubscriptionSimulationTests {
    @Test(
        "Whatever is delayed, cut off or refused, in the end the proxy has what it did not refuse",
        arguments: 1...200
    )
    func converges(_ seed: Int) {
        var world = World(seed: UInt64(seed))

        for _ in 0..<300 { world.step() }
        world.settle()

        #expect(world.difference == nil, "seed \(seed)")
    }
}

/// What a proxy would do: it asks for all, names endpoints as its clusters do, refuses what is poisoned.
private struct World {
    private typealias Request = SubscriptionMachine.Request

    private var random: SeededGenerator
    private var machine: SubscriptionMachine
    private var truth = ResourceSet()
    private var version = 0
    private var toProxy: [SubscriptionMachine.Response] = []
    private var toServer: [Request] = []
    private var held: [ResourceKind: [String: EncodedResource]] = [:]
    private var nonces: [ResourceKind: String] = [:]
    /// Whether a response on this stream has told all names.
    private var namesAreTold = false

    init(seed: UInt64) {
        self.random = SeededGenerator(seed: seed)
        self.machine = SubscriptionMachine(takesNameShards: true)
        self.change()
        self.connect()
    }

    mutating func step() {
        switch self.random.number(1...20) {
        case 1...3: self.change()
        case 4: self.connect()
        case 5...12: self.deliverToProxy()
        default: self.deliverToServer()
        }
    }

    /// Lets everything that is under way arrive, after one last change that nobody refuses.
    mutating func settle() {
        self.change(poison: false)
        while !self.toProxy.isEmpty || !self.toServer.isEmpty {
            self.deliverToProxy()
            self.deliverToServer()
        }
    }

    /// What the proxy lacks or has too much of.
    var difference: String? {
        for kind in [ResourceKind.cluster, .listener, .endpoint, .nameTable] {
            let names = Set(self.truth[.cluster].map(\.name))
            let wanted = self.truth[kind].filter { kind != .endpoint || names.contains($0.name) }
            let has = (self.held[kind] ?? [:]).filter { kind != .endpoint || names.contains($0.key) }
            if Dictionary(uniqueKeysWithValues: wanted.map { ($0.name, $0) }) != has { return "\(kind)" }
        }
        return nil
    }

    private mutating func change(poison: Bool = true) {
        self.version += 1
        let isPoisoned = poison && self.random.chance(1, outOf: 5)
        var clusters: [String: String] = [:]
        var endpoints: [String: String] = [:]
        for name in ["a", "b", "c", "d"] where self.random.chance(2, outOf: 3) {
            clusters[name] = "\(self.random.number(1...3))"
            endpoints[name] = "\(self.random.number(1...9))"
        }
        let listeners = ["x": isPoisoned ? "poison" : "\(self.random.number(1...5))"]
        var shards: [String: String] = [:]
        for name in ["n0", "n1", "n2", "n3", "n4"] where self.random.chance(1, outOf: 2) {
            shards[name] = isPoisoned && self.random.chance(1, outOf: 3) ? "poison" : "\(self.random.number(1...3))"
        }
        self.truth = resources(clusters: clusters, endpoints: endpoints, listeners: listeners, names: shards)
        self.toProxy += self.machine.resourcesChanged(self.truth, version: "\(self.version)")
    }

    /// The stream breaks: what was under way is lost, the proxy keeps what it has and asks again.
    private mutating func connect() {
        self.machine = SubscriptionMachine(
            resources: self.truth,
            version: "\(self.version)",
            takesNameShards: true
        )
        self.namesAreTold = false
        self.toProxy = []
        self.nonces = [:]
        self.toServer = [Request(kind: .cluster), Request(kind: .listener), Request(kind: .nameTable)]
        let names = (self.held[.cluster] ?? [:]).keys.sorted()
        if !names.isEmpty { self.toServer.append(Request(kind: .endpoint, names: names)) }
    }

    /// The first response holds all shards, later ones those that changed; of a response that is refused the good ones
    /// are taken.
    private mutating func takeNames(_ response: SubscriptionMachine.Response) {
        if !self.namesAreTold {
            let names = Set(response.resources.map(\.name))
            self.held[.nameTable] = self.held[.nameTable]?.filter { names.contains($0.key) }
        }
        self.namesAreTold = true
        for shard in response.resources where shard.bytes != Data("poison".utf8) {
            self.held[.nameTable, default: [:]][shard.name] = shard.bytes.isEmpty ? nil : shard
        }
    }

    private mutating func deliverToServer() {
        guard !self.toServer.isEmpty else { return }
        self.toProxy += self.machine.requestReceived(self.toServer.removeFirst()).responses
    }

    private mutating func deliverToProxy() {
        guard !self.toProxy.isEmpty else { return }
        let response = self.toProxy.removeFirst()
        self.nonces[response.kind] = response.nonce
        let isRefused = response.resources.contains { $0.bytes == Data("poison".utf8) }
        if response.kind == .nameTable {
            self.takeNames(response)
        } else if !isRefused {
            let received = Dictionary(uniqueKeysWithValues: response.resources.map { ($0.name, $0) })
            if response.kind.isReplacedAsAWhole {
                self.held[response.kind] = received
            } else {
                self.held[response.kind, default: [:]].merge(received) { $1 }
            }
        }
        let names = response.kind == .endpoint ? (self.held[.cluster] ?? [:]).keys.sorted() : []
        self.toServer.append(
            Request(
                kind: response.kind,
                names: names,
                nonce: response.nonce,
                refusal: isRefused ? "poisoned" : nil
            )
        )
        guard response.kind == .cluster else { return }
        // New clusters ask for their endpoints; those that are gone take theirs along.
        let wanted = (self.held[.cluster] ?? [:]).keys.sorted()
        self.held[.endpoint] = self.held[.endpoint]?.filter { wanted.contains($0.key) }
        self.toServer.append(Request(kind: .endpoint, names: wanted, nonce: self.nonces[.endpoint] ?? ""))
    }
}
