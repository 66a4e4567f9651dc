internal import MeshModel
package import TrafficEngine

/// `/policy/trace`: what the proxy would ask its policy engine about a request, and what it has kept of answers, as JSON.
/// Where the proxy passes bytes on, the same of the connection, whatever is said of the request.
///
/// The request stands in the query: `destination` (address and port, the one that is needed), `source`, `peer` (a
/// SPIFFE name), `method`, `target`, `authority`, `headers` (lines `name: value`), `server-name`, `protocols` (in
/// commas), `tls` (of the connection), `secure` (of the request), `outbound`.
package enum MixerTracePage {
    /// Why a query is no request.
    package struct Mistake: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    private static let names: Set<String> = [
        "destination", "source", "peer", "method", "target", "authority", "headers", "server-name", "protocols",
        "tls", "secure", "outbound",
    ]

    // MARK: Question

    package static func question(_ request: AdminRequest) throws(Mistake) -> MixerTraceQuestion {
        let query = request.query
        for name in query.keys.sorted() where !self.names.contains(name) {
            throw Mistake(description: "there is no parameter \(name)")
        }
        guard let destination = self.address(query["destination"] ?? "") else {
            throw Mistake(description: "destination=\(query["destination"] ?? "") is no ADDRESS:PORT")
        }
        var source: IPAddress?
        if let text = query["source"], !text.isEmpty {
            guard let address = IPAddress(text) else { throw Mistake(description: "source=\(text) is no address") }
            source = address
        }
        var connection = ConnectionFacts(destination: destination, source: source)
        connection.serverName = query["server-name"].flatMap { $0.isEmpty ? nil : $0 }
        connection.isTLS = query["tls"] == "true"
        connection.applicationProtocols = (query["protocols"] ?? "").split(separator: ",").map(String.init)
        let target = query["target"] ?? "/"
        let owned = OwnedRequest(
            method: try self.token(query["method"] ?? "GET", "method"),
            target: try self.line(target.hasPrefix("/") ? target : "/" + target, "target"),
            authority: try self.line(query["authority"] ?? "", "authority"),
            headers: try self.headers(query["headers"] ?? ""),
            isSecure: query["secure"] == "true"
        )
        return MixerTraceQuestion(
            request: owned,
            connection: connection,
            peer: query["peer"].flatMap { $0.isEmpty ? nil : PeerIdentity(uris: [$0]) },
            isOutbound: query["outbound"] == "true"
        )
    }

    /// `10.0.0.1:80`, `[::1]:80`
    private static func address(_ text: String) -> NetworkAddress? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return IPAddress(String(host)).map { NetworkAddress(ip: $0, port: port) }
    }

    private static func headers(_ text: String) throws(Mistake) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else {
                throw Mistake(description: "header `\(line)` is no NAME: VALUE")
            }
            let name = try self.token(String(line[..<colon]), "header").lowercased()
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers.append((name, try self.line(String(value), "header \(name)")))
        }
        return headers
    }

    /// What a codec would let through as a method or a header's name (RFC 9110 section 5.6.2).
    private static func token(_ text: String, _ what: String) throws(Mistake) -> String {
        let isToken =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
                    || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        guard isToken else { throw Mistake(description: "`\(text)` cannot be a \(what)") }
        return text
    }

    private static func line(_ text: String, _ what: String) throws(Mistake) -> String {
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
            throw Mistake(description: "\(what) has control characters")
        }
        return text
    }

    // MARK: Answer

    /// The page. `faults` says what keeps connections to endpoints from being made; those that it does not name can be
    /// reached.
    package static func json(_ trace: MixerTrace, faults: [NetworkAddress: String]) -> String {
        let endpoints = trace.endpoints.map { address in
            let fault = faults[address].map { ", \"fault\": \(JSONText.string($0))" } ?? ""
            return "{\"address\": \(JSONText.string(address.description))\(fault)}"
        }
        let attributes = trace.attributes.sorted { $0.key < $1.key }.map { name, value in
            "    \(JSONText.string(name)): \(Self.text(value))"
        }
        let charges = trace.charges.map { "{\"quota\": \(JSONText.string($0.quota)), \"amount\": \($0.amount)}" }
        return """
            {
              "listener": \(JSONText.string(trace.listener)),
              "connection": \(trace.isConnection),
              "checks": \(self.text(trace.policy.checkServer)),
              "reports": \(self.text(trace.policy.reportServer)),
              "failsOpen": \(trace.policy.failsOpen),
              "endpoints": [\(endpoints.joined(separator: ", "))],
              "charges": [\(charges.joined(separator: ", "))],
              "attributes": {
            \(attributes.joined(separator: ",\n"))
              },
              "loops": [
            \(trace.loops.map { "    " + self.text($0) }.joined(separator: ",\n"))
              ]
            }

            """
    }

    private static func text(_ server: MixerPolicy.Server?) -> String {
        server.map { JSONText.string($0.name) } ?? "null"
    }

    private static func text(_ loop: MixerTrace.Loop) -> String {
        let quotas = loop.quotas.map { quota in
            "{\"quota\": \(JSONText.string(quota.charge.quota)), \"left\": \(quota.left), "
                + "\"validSeconds\": \(self.seconds(quota.validFor)), \"pausedSeconds\": \(self.seconds(quota.pausedFor))}"
        }
        return "{\"findings\": [\(loop.findings.map(self.text).joined(separator: ", "))], "
            + "\"quotas\": [\(quotas.joined(separator: ", "))]}"
    }

    private static func text(_ finding: CheckFinding) -> String {
        var fields = ["\"references\": [\(finding.references.map(self.text).joined(separator: ", "))]"]
        switch finding.outcome {
        case .other(let reference): fields += ["\"outcome\": \"other\"", "\"differs\": \(self.text(reference))"]
        case .unknown: fields.append("\"outcome\": \"unknown\"")
        case .expired: fields.append("\"outcome\": \"expired\"")
        case .holds(let verdict, let left, let usesLeft):
            fields += [
                "\"outcome\": \"holds\"", "\"status\": \(verdict.status.code)",
                "\"message\": \(JSONText.string(verdict.status.message))", "\"leftSeconds\": \(self.seconds(left))",
            ]
            if let usesLeft { fields.append("\"usesLeft\": \(usesLeft)") }
        }
        return "{\(fields.joined(separator: ", "))}"
    }

    private static func text(_ reference: CheckReference) -> String {
        var fields = ["\"attribute\": \(JSONText.string(reference.name))"]
        if let key = reference.key { fields.append("\"key\": \(JSONText.string(key))") }
        switch reference.condition {
        case .exact: fields.append("\"condition\": \"EXACT\"")
        case .absent: fields.append("\"condition\": \"ABSENCE\"")
        case .matching(let expression):
            fields += ["\"condition\": \"REGEX\"", "\"regex\": \(JSONText.string(expression))"]
        }
        return "{\(fields.joined(separator: ", "))}"
    }

    /// As the engine's debug page reads attributes.
    private static func text(_ value: MixerValue) -> String {
        switch value {
        case .text(let text): return JSONText.string(text)
        case .number(let number): return "\(number)"
        case .fraction(let number): return number.isFinite ? "\(number)" : "null"
        case .truth(let truth): return "\(truth)"
        case .bytes(let bytes): return self.address(bytes).map { JSONText.string($0.description) } ?? "null"
        case .moment(let milliseconds): return JSONText.string(CertificatesText.date(Double(milliseconds) / 1000))
        case .duration(let duration): return JSONText.string("\(self.seconds(duration))s")
        case .map(let entries):
            let members = entries.sorted { $0.key < $1.key }
                .map { "\(JSONText.string($0.key)): \(JSONText.string($0.value))" }
            return "{\(members.joined(separator: ", "))}"
        }
    }

    private static func address(_ bytes: [UInt8]) -> IPAddress? {
        func word(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        return switch bytes.count {
        case 4: .v4(UInt32(word(bytes)))
        case 16: .v6(high: word(bytes.prefix(8)), low: word(bytes.dropFirst(8)))
        default: nil
        }
    }

    /// With three digits at most, never as a power of ten.
    private static func seconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = abs(attoseconds / 1_000_000_000_000_000)
        if milliseconds == 0 { return "\(seconds)" }
        let digits = String(milliseconds)
        let sign = seconds == 0 && attoseconds < 0 ? "-" : ""
        return "\(sign)\(seconds).\(String(repeating: "0", count: 3 - digits.count))\(digits)"
    }
}
