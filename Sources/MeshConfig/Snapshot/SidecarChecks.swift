import MeshModel

/// Finds Sidecars that import what is not there, or that another one hides.
struct SidecarChecks {
    private let snapshot: MeshSnapshot

    init(snapshot: MeshSnapshot) { self.snapshot = snapshot }

    func diagnoses() -> [Diagnosis] {
        if self.snapshot.sidecars.isEmpty { return [] }
        let services = Dictionary(grouping: self.snapshot.services, by: \.host)
        var whole: [String: SidecarRules] = [:]
        return self.snapshot.sidecars.flatMap { rules in
            var findings = Findings(rules.source)
            let namespace = rules.source.id.namespace
            if rules.selector.isEmpty {
                if let older = whole[namespace] {
                    findings.warning(
                        "spec.workloadSelector",
                        "is missing here and in the older \(older.source), which is in force for the namespace: "
                            + "this one has no effect"
                    )
                } else {
                    whole[namespace] = rules
                }
            }
            self.checkImports(of: rules, services, &findings)
            return findings.diagnoses
        }
    }

    /// Whole names alone: what a wildcard means may come later.
    private func checkImports(
        of rules: SidecarRules,
        _ services: [HostName: [Service]],
        _ findings: inout Findings
    ) {
        let client = rules.source.id.namespace
        // What `.` means in the root namespace depends on who asks.
        let isForAll = client == self.snapshot.settings.rootNamespace
        for item in rules.imports ?? [] where !item.host.isWildcard {
            if isForAll, item.namespace == .own { continue }
            let scope = SidecarScope(SidecarRules(source: rules.source, imports: [item]), client: client)
            let isThere =
                services[item.host, default: []].contains {
                    $0.visibility.includes(client) && scope.admitted($0) != nil
                } || self.snapshot.routeRules.contains { $0.hosts.contains(item.host) && scope.admits($0) }
            if !isThere {
                findings.warning("spec.egress", "imports `\(item.host)`, which that namespace does not have or export")
            }
        }
    }
}
