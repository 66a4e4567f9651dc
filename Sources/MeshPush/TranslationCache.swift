import MeshModel
import MeshTranslate
import XDSAPI

/// A snapshot that proxies are to have, and how it differs from the one before it.
struct Generation: Sendable {
    /// Grows by one.
    var number: UInt64
    var snapshot: MeshSnapshot
    var change: SnapshotChange
    var publishedAt: ContinuousClock.Instant

    var version: String { "\(self.snapshot.revision)" }
}

/// Translates each generation once for all proxies that see the same of it.
///
/// An actor, as translation is slow next to everything around it: proxies that need the same wait for one to do it.
actor TranslationCache {
    private var generation: Generation
    /// Labels by which rules tell proxies apart.
    private var labels: Set<String>
    private var outbound: [OutboundKey: ResourceSet] = [:]
    private var inbound: [ProxyKey: ResourceSet] = [:]

    init(_ generation: Generation) {
        self.generation = generation
        self.labels = Translator.clientLabels(in: generation.snapshot)
    }

    func resources(for proxy: ProxyKey, in wanted: Generation) -> ResourceSet {
        self.advance(to: wanted)
        let key = self.key(of: proxy)
        let shared = self.outbound[key] ?? ResourceSet(Translator.outbound(of: key, in: self.generation.snapshot))
        self.outbound[key] = shared
        let own = self.inbound[proxy] ?? ResourceSet(Translator.inbound(of: proxy, in: self.generation.snapshot))
        self.inbound[proxy] = own
        return shared.adding(own)
    }

    /// Forgets what was made for a proxy that has gone.
    func forget(_ proxy: ProxyKey, others: [ProxyKey]) {
        self.inbound[proxy] = nil
        // Its key may have become another one: where a proxy is, its pod tells, and that is gone.
        let used = Set(others.map(self.key))
        self.outbound = self.outbound.filter { used.contains($0.key) }
    }

    private func key(of proxy: ProxyKey) -> OutboundKey {
        OutboundKey(
            proxy.placed(in: self.generation.snapshot),
            labels: self.labels,
            sidecar: self.generation.snapshot.sidecar(for: proxy)
        )
    }

    private func apply(_ change: SnapshotChange.EndpointChange, to key: OutboundKey) {
        let snapshot = self.generation.snapshot
        if !change.services.isEmpty {
            let changed = Translator.endpoints(of: change.services, for: key, in: snapshot)
            self.outbound[key]?.replace(.endpoint, with: changed.map { EncodedResource($0.clusterName, $0) })
        }
        guard !change.headless.isEmpty, let shards = self.outbound[key]?[.nameTable] else { return }
        let resources = Translator.headless(change.headless, for: key, in: snapshot)
        self.outbound[key]?.set(.listener, to: resources.listeners.map { EncodedResource($0.name, $0) })
        let hosts = Set(change.headless.map(\.host.text))
        self.outbound[key]?.set(
            .nameTable,
            to: NameShards.updated(shards, hosts: hosts, with: resources.nameTable)
        )
    }

    /// Keeps what the change leaves valid. A proxy that asks with an older generation gets the newer one's.
    private func advance(to wanted: Generation) {
        guard wanted.number > self.generation.number else { return }
        let isNext = wanted.number == self.generation.number + 1
        self.generation = wanted
        switch wanted.change {
        case .nothing where isNext: ()
        case .endpoints(let change) where isNext:
            for key in self.outbound.keys { self.apply(change, to: key) }
            for proxy in self.inbound.keys where change.concerns(proxy) { self.inbound[proxy] = nil }
        case .nothing, .endpoints, .everything:
            self.outbound = [:]
            self.inbound = [:]
            self.labels = Translator.clientLabels(in: wanted.snapshot)
        }
    }
}
