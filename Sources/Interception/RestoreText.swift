/// What `iptables-save` and `ip6tables-save` print; empty where nothing is set up yet.
package struct SavedRules: Hashable, Sendable {
    package var v4: String
    package var v6: String

    package init(v4: String = "", v6: String = "") {
        self.v4 = v4
        self.v6 = v6
    }

    /// Input for the two restore programs that takes everything of ours out again; empty if there is nothing.
    ///
    /// It names only what the saved rules show, so that it never fails for something that is gone already.
    package func cleanup() -> (v4: String, v6: String) {
        (Self.cleanup(self.v4), Self.cleanup(self.v6))
    }

    private static func cleanup(_ saved: String) -> String {
        var out = RestoreText(existing: saved)
        out.removal(of: "nat", chains: InterceptionRules.Chain.nat)
        out.removal(of: "raw", chains: InterceptionRules.Chain.raw)
        return out.text
    }
}

/// Writes restore input table by table, knowing which rules are there already.
struct RestoreText {
    private(set) var text = ""
    private let existing: [String: Table]

    /// What one table holds now.
    private struct Table {
        var chains: Set<String> = []
        /// Rules of other chains that jump into ours, `-A PREROUTING … -j ISTIO_INBOUND`.
        var jumps: [String] = []
    }

    /// - Parameter existing: what `iptables-save` printed.
    init(existing: String) {
        var tables: [String: Table] = [:]
        var name = ""
        for line in existing.split(separator: "\n") {
            if line.hasPrefix("*") {
                name = String(line.dropFirst())
            } else if line.hasPrefix(":") {
                tables[name, default: Table()].chains.insert(String(line.dropFirst().prefix { $0 != " " }))
            } else if line.hasPrefix("-A ") {
                let words = line.split(separator: " ")
                guard words.count > 3, !words[1].hasPrefix("ISTIO_"),
                    let jump = words.lastIndex(of: "-j"), words.indices.contains(jump + 1),
                    words[jump + 1].hasPrefix("ISTIO_")
                else { continue }
                tables[name, default: Table()].jumps.append(String(line.dropFirst(3)))
            }
        }
        self.existing = tables
    }

    /// Opens a table with empty chains of these names and without jumps into any of ours.
    mutating func table(_ name: String, chains: [String]) {
        self.text += "*\(name)\n"
        let old = self.existing[name] ?? Table()
        for jump in old.jumps { self.text += "-D \(jump)\n" }
        // Declaring a user chain that exists empties it, also with --noflush.
        let stale = Set(InterceptionRules.Chain.nat + InterceptionRules.Chain.raw).intersection(old.chains)
        for chain in Set(chains).union(stale).sorted() { self.text += ":\(chain) - [0:0]\n" }
        for chain in stale.subtracting(chains).sorted() { self.text += "-X \(chain)\n" }
    }

    /// Appends a rule to a chain.
    mutating func rule(_ chain: String, _ rule: String) {
        self.text += "-A \(chain) \(rule)\n"
    }

    /// Closes the table: from here all of it is in force.
    mutating func commit() {
        self.text += "COMMIT\n"
    }

    /// Takes the chains, and the jumps into them, out of a table; writes nothing if none is there.
    mutating func removal(of name: String, chains: [String]) {
        guard let old = self.existing[name] else { return }
        let ours = old.chains.intersection(chains).sorted()
        guard !ours.isEmpty || !old.jumps.isEmpty else { return }
        self.text += "*\(name)\n"
        for jump in old.jumps { self.text += "-D \(jump)\n" }
        for chain in ours { self.text += "-F \(chain)\n" }
        for chain in ours { self.text += "-X \(chain)\n" }
        self.text += "COMMIT\n"
    }
}
