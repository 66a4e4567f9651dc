/// Which endpoints may be used now, in levels of priority and, within a level, by locality.
///
/// As Envoy does: a level counts as whole as long as 5/7 of it are healthy (over-provisioning of 1.4); what a level cannot
/// take goes to the next. A level with fewer healthy endpoints than the panic threshold uses all of its endpoints.
struct EndpointLevels: Sendable {
    struct Group: Sendable {
        /// Indices of the endpoints that may be used.
        var members: [Int]
        /// Share of the level, in parts of the level's groups.
        var weight: Double
    }

    struct Level: Sendable {
        var groups: [Group]
        /// Percent of the traffic.
        var load: Double
    }

    /// Without levels that take nothing; empty: no endpoint may be used.
    let levels: [Level]

    private static let overProvisioning = 1.4

    init(_ endpoints: [ClusterEndpoint], panicThreshold: Double, weighsLocalities: Bool, isUsable: (Int) -> Bool) {
        let priorities = Set(endpoints.map(\.priority)).sorted()
        let healths = priorities.map { priority in
            let all = endpoints.indices.filter { endpoints[$0].priority == priority }
            let healthy = all.filter(isUsable)
            return (all: all, healthy: healthy, share: Double(healthy.count) / Double(max(all.count, 1)))
        }
        let capacities = healths.map { min(100, 100 * $0.share * Self.overProvisioning) }
        let total = capacities.reduce(0, +)
        let isInPanic = total < 100
        var left = 100.0
        var levels: [Level] = []
        for (health, capacity) in zip(healths, capacities) {
            let load: Double
            if total <= 0 {
                load = levels.isEmpty ? 100 : 0
            } else {
                load = total < 100 ? 100 * capacity / total : min(left, capacity)
            }
            left -= load
            guard load > 0 else { continue }
            let usesAll = isInPanic && panicThreshold > 0 && health.share * 100 < panicThreshold
            let members = usesAll ? health.all : health.healthy
            guard !members.isEmpty else { continue }
            levels.append(
                Level(
                    groups: weighsLocalities
                        ? Self.groups(members, health.all, endpoints) : [Group(members: members, weight: 1)],
                    load: load
                )
            )
        }
        self.levels = levels
    }

    private static func groups(_ members: [Int], _ all: [Int], _ endpoints: [ClusterEndpoint]) -> [Group] {
        var groups: [Group] = []
        for locality in Set(members.map { endpoints[$0].locality }).sorted() {
            let own = members.filter { endpoints[$0].locality == locality }
            let weight = own.first.map { endpoints[$0].localityWeight } ?? 0
            // A locality without a weight gets nothing (Envoy `load_balancing_weight` of a locality).
            guard weight > 0 else { continue }
            let size = all.count { endpoints[$0].locality == locality }
            let share = min(1, Double(own.count) / Double(max(size, 1)) * Self.overProvisioning)
            groups.append(Group(members: own, weight: Double(weight) * share))
        }
        return groups.isEmpty ? [Group(members: members, weight: 1)] : groups
    }
}
