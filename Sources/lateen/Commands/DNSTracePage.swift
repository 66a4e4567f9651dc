import KubernetesAPI

/// What a proxy said about a lookup, with the objects behind its records; as a table for people.
struct DNSTracePage {
    /// The proxy's answer, each step with `objects`.
    let json: JSONValue

    /// - Parameters:
    ///   - page: `/dns/trace` of a proxy.
    ///   - objects: by host of the name table, the objects that made its records.
    init(_ page: JSONValue, objects: ([String]) throws -> [String: [String]]) rethrows {
        var page = page
        let steps = page["steps"]?.array ?? []
        let found = try objects(Array(Set(steps.compactMap { $0["host"]?.string })).sorted())
        page["steps"] = .array(
            steps.map { step in
                guard let host = step["host"]?.string, let names = found[host] else { return step }
                var step = step
                step["objects"] = .array(names.map { .string($0) })
                return step
            }
        )
        self.json = page
    }

    var isFound: Bool { self.json["found"]?.bool ?? false }

    func text(pod: String) -> String {
        let steps = self.json["steps"]?.array ?? []
        var table = TextTable("QUESTION", "TYPE", "ANSWERED BY", "RCODE", "TTL", "ANSWER", "OBJECT")
        for step in steps {
            let answers = (step["answers"]?.array ?? []).map { record in
                "\(record["type"]?.string ?? "") \(record["data"]?.string ?? "")"
            }
            table.add(
                step["question"]?.string ?? "",
                step["type"]?.string ?? "",
                Self.source(of: step),
                step["rcode"]?.string ?? "",
                step["ttl"]?.int.map { "\($0)s" } ?? "-",
                answers.isEmpty ? "-" : answers.joined(separator: ", "),
                (step["objects"]?.array ?? []).compactMap(\.string).joined(separator: ", ").orDash
            )
        }
        return self.head(pod) + "\n" + table.text + "\n" + self.conclusion(steps) + "\n"
    }

    private func head(_ pod: String) -> String {
        let search = (self.json["search"]?.array ?? []).compactMap(\.string).joined(separator: " ").orDash
        let servers = (self.json["servers"]?.array ?? []).compactMap(\.string).joined(separator: " ").orDash
        return "\(self.json["name"]?.string ?? "") from \(pod)\n  search:  \(search)\n"
            + "  ndots:   \(self.json["ndots"]?.int ?? 1)\n  servers: \(servers)\n"
    }

    private static func source(of step: JSONValue) -> String {
        switch step["source"]?.string {
        case "table": "name table"
        case "minted": "wildcard, an address of its own"
        case "zone": "name table (no such name)"
        case "not ready": "nobody: the name table has not come yet"
        case "upstream": step["server"]?.string ?? ""
        case "cache":
            "cache (\(step["stale"]?.bool == true ? "out of date, " : "")from \(step["server"]?.string ?? "-"))"
        case "nobody": "nobody: no server answered"
        case let other: other ?? "-"
        }
    }

    private func conclusion(_ steps: [JSONValue]) -> String {
        let names = self.json["expansions"]?.array?.count ?? 0
        let asked = self.json["asked"]?.int ?? 0
        let out = steps.count { ["upstream", "nobody"].contains($0["source"]?.string) }
        let questions = "\(steps.count) question\(steps.count == 1 ? "" : "s"), \(out) of them to other servers"
        guard self.isFound else {
            let missing = steps.contains { $0["rcode"]?.string == "NOERROR" }
            return "Not found: \(missing ? "no record of this type" : "no such name") in \(asked) of \(names) names "
                + "that a client tries; \(questions)."
        }
        return "Found with name \(asked) of the \(names) that a client tries; \(questions)."
    }
}

extension String {
    fileprivate var orDash: String { self.isEmpty ? "-" : self }
}
