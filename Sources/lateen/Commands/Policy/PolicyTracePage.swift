import Foundation
import KubernetesAPI
import PolicyEngine

/// What `lateen policy trace --from` prints.
struct PolicyTracePage {
    let explanation: JSONValue
    let stops: [PolicyTraceWalk.Stop]

    /// The first proxy that refuses decides; what one cannot tell stays open.
    var verdict: PolicyTraceVerdict {
        if self.explanation["isAllowed"]?.bool == false { return .refused }
        var result = PolicyTraceVerdict.passes
        for stop in self.stops {
            switch stop.verdict {
            case .refused: return .refused
            case .open: result = .open
            case .passes: ()
            }
        }
        return result
    }

    var json: JSONValue {
        get throws {
            var page: JSONValue = [
                "request": self.explanation["request"] ?? .null, "outcome": self.explanation["outcome"] ?? .null,
                "verdict": .string("\(self.verdict)"),
            ]
            page["proxies"] = .array(try self.stops.map { try $0.json })
            return page
        }
    }

    func text(isVerbose: Bool) -> String {
        var text = "\(self.explanation["request"]?.string ?? "")\n"
        for stop in self.stops { text += "\n" + stop.text(isVerbose: isVerbose) }
        if self.stops.isEmpty { text += "\nNo proxy on its way asks or tells a policy engine.\n" }
        if self.explanation["isAllowed"]?.bool == false || self.stops.isEmpty {
            text += "\n\(self.explanation["outcome"]?.string ?? "")\n"
        }
        return text + "\n\(self.conclusion)\n"
    }

    private var conclusion: String {
        switch self.verdict {
        case .passes: "It would pass."
        case .refused: "It would be refused."
        case .open: "Whether it would pass cannot be told: see above whose word is missing."
        }
    }
}

extension PolicyTraceWalk.Stop {
    /// What the engine would make of it, or what the proxy does without an engine.
    var verdict: PolicyTraceVerdict {
        guard case .success(let page) = self.proxy else { return .open }
        // It is told only.
        guard page["checks"]?.string != nil else { return .passes }
        if !self.isReachable { return page["failsOpen"]?.bool == true ? .passes : .refused }
        guard case .success(let trace)? = self.engine else { return .open }
        return trace.verdict
    }

    /// Some endpoint of the engine takes connections of the proxy.
    var isReachable: Bool {
        guard case .success(let page) = self.proxy else { return false }
        return (page["endpoints"]?.array ?? []).contains { $0["fault"] == nil }
    }

    var json: JSONValue {
        get throws {
            var stop: JSONValue = ["pod": self.visit["pod"] ?? .null, "verdict": .string("\(self.verdict)")]
            switch self.proxy {
            case .success(let page): stop["proxy"] = page
            case .failure(let failure): stop["proxyFailure"] = .string(failure.description)
            }
            switch self.engine {
            case .success(let trace)?:
                stop["engine"] = try JSONValue.parse(String(decoding: try JSONEncoder().encode(trace), as: UTF8.self))
                stop["enginePod"] = self.enginePod.map { .string($0) } ?? .null
            case .failure(let failure)?: stop["engineFailure"] = .string(failure.description)
            case nil: ()
            }
            return stop
        }
    }

    func text(isVerbose: Bool) -> String {
        let pod = self.visit["pod"]?.string ?? ""
        let way = self.visit["isOutbound"]?.bool == true ? "outbound" : "inbound"
        var text = "Proxy \(pod), \(way)\n"
        switch self.proxy {
        case .failure(let failure): return text + "  cannot be asked: \(failure.description)\n"
        case .success(let page): text += self.text(of: page, isVerbose: isVerbose)
        }
        switch self.engine {
        case .success(let trace)?:
            text += "\nEngine \(self.enginePod ?? "")\n"
            for line in trace.text(isDetailed: isVerbose).split(separator: "\n", omittingEmptySubsequences: false) {
                text += line.isEmpty ? "\n" : "  \(line)\n"
            }
            while text.hasSuffix("\n\n") { text.removeLast() }
        case .failure(let failure)?: text += "\nEngine\n  cannot be asked: \(failure.description)\n"
        case nil: ()
        }
        return text
    }

    private func text(of page: JSONValue, isVerbose: Bool) -> String {
        let checks = page["checks"]?.string
        let reports = page["reports"]?.string
        let failsOpen = page["failsOpen"]?.bool == true
        let isConnection = page["connection"]?.bool == true
        let subject = isConnection ? "connection" : "request"
        let refusal = isConnection ? "is closed (fail closed)" : "is refused with 503 (fail closed)"
        let endpoints = (page["endpoints"]?.array ?? []).map { endpoint in
            let fault = endpoint["fault"]?.string.map { "takes no connection (\($0))" } ?? "takes connections"
            return "\(endpoint["address"]?.string ?? "") \(fault)"
        }
        var lines = [
            "asks         \(checks ?? "nobody: checks are off")",
            "tells        \(reports ?? "nobody: reports are off")",
        ]
        if isConnection { lines.insert("sees         bytes: the connection is asked about once, when it opens", at: 0) }
        if checks != nil {
            lines.append("without it   the \(subject) \(failsOpen ? "passes (fail open)" : refusal)")
        }
        lines.append("endpoints    \(endpoints.isEmpty ? "none is ready" : endpoints.joined(separator: ", "))")
        if checks != nil, !self.isReachable {
            lines.append(
                "             so the \(subject) \(failsOpen ? "passes" : "is refused"), unless an answer below holds"
            )
        }
        let charges = (page["charges"]?.array ?? []).map { "\($0["quota"]?.string ?? "") \($0["amount"]?.int ?? 0)" }
        if !charges.isEmpty { lines.append("is charged   \(charges.joined(separator: ", "))") }
        var text = lines.map { "  \($0)\n" }.joined()
        if checks != nil { text += KeptAnswersText.text(page["loops"]?.array ?? []) }
        guard isVerbose, let attributes = page["attributes"]?.object else { return text }
        text += "  attributes\n"
        for (name, value) in attributes.sorted(by: { $0.key < $1.key }) { text += "    \(name) = \(value.text())\n" }
        return text
    }
}
