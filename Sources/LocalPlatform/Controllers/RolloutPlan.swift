package import KubernetesAPI

/// How many pods each replica set of a deployment should have next.
package struct RolloutPlan: Hashable {
    /// One replica set as the plan sees it.
    package struct Set: Hashable {
        package var name: String
        /// What its spec asks for.
        package var wanted: Int
        /// Pods that exist.
        package var present: Int
        /// Pods that are ready long enough.
        package var available: Int

        package init(
            name: String,
            wanted: Int,
            present: Int,
            available: Int
        ) {
            self.name = name
            self.wanted = wanted
            self.present = present
            self.available = available
        }
    }

    package var replicas: Int
    /// Pods above `replicas` that may exist during a rollout.
    package var surge: Int
    /// Pods below `replicas` that may be missing during a rollout.
    package var unavailable: Int
    package var recreates: Bool

    /// Reads the strategy; percentages are of the replicas, surge rounded up, unavailable down, and not both zero.
    package init(_ spec: Deployment.Spec) {
        self.replicas = max(0, spec.replicas ?? 1)
        self.recreates = spec.strategy?.type == "Recreate"
        let rolling = spec.strategy?.rollingUpdate
        self.surge = (rolling?.maxSurge ?? .string("25%")).scaled(of: self.replicas, roundingUp: true) ?? 1
        self.unavailable =
            (rolling?.maxUnavailable ?? .string("25%")).scaled(of: self.replicas, roundingUp: false) ?? 0
        if self.surge == 0, self.unavailable == 0 { self.unavailable = 1 }
    }

    package init(replicas: Int, surge: Int, unavailable: Int, recreates: Bool = false) {
        self.replicas = replicas
        self.surge = surge
        self.unavailable = unavailable
        self.recreates = recreates
    }

    /// The next sizes by name; what is not named keeps its size. `old` are in the order in which they were made.
    package func step(new: Set, old: [Set]) -> [String: Int] {
        let oldPresent = old.reduce(0) { $0 + max($1.wanted, $1.present) }
        if self.recreates {
            var sizes: [String: Int] = [:]
            for set in old where set.wanted > 0 { sizes[set.name] = 0 }
            if oldPresent == 0 || old.allSatisfy({ $0.present == 0 && $0.wanted == 0 }) {
                if new.wanted != self.replicas { sizes[new.name] = self.replicas }
            }
            return sizes
        }
        var sizes: [String: Int] = [:]
        let oldWanted = old.reduce(0) { $0 + $1.wanted }
        // Up: the new set takes what the surge leaves room for.
        var newWanted = new.wanted
        if new.wanted > self.replicas {
            newWanted = self.replicas
        } else {
            let room = self.replicas + self.surge - oldWanted - new.wanted
            newWanted = min(self.replicas, new.wanted + max(0, room))
        }
        if newWanted != new.wanted { sizes[new.name] = newWanted }

        // Down: first old pods that serve nobody, then as many as may be missed.
        let floor = self.replicas - self.unavailable
        var spare = oldWanted + new.wanted - floor - max(0, new.wanted - new.available)
        for set in old where set.wanted > 0 && spare > 0 {
            let broken = min(set.wanted - min(set.wanted, set.available), spare)
            if broken > 0 {
                sizes[set.name] = set.wanted - broken
                spare -= broken
            }
        }
        let available = old.reduce(new.available) { $0 + min($1.available, $1.wanted) }
        var removable = available - floor
        for set in old where removable > 0 {
            let wanted = sizes[set.name] ?? set.wanted
            let removed = min(wanted, removable)
            if removed > 0 {
                sizes[set.name] = wanted - removed
                removable -= removed
            }
        }
        return sizes
    }
}
