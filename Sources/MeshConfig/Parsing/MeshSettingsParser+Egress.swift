import KubernetesAPI
import MeshModel

/// DNS-bound egress: `lateen: {dnsBoundEgress: {mode: ENFORCE, grace: 30s, ipLiterals: [10.0.0.0/8]}}`.
extension MeshSettingsParser {
    private static let graceMax = Duration.seconds(86_400)

    /// A setting of ours: Istio's message has no such field.
    static func addEgressBinding(
        _ json: JSONValue,
        to settings: inout MeshSettings,
        _ field: String,
        _ findings: inout Findings
    ) {
        let place = "\(field).lateen.dnsBoundEgress"
        guard let value = json[path: "lateen", "dnsBoundEgress"], !value.isNull else { return }
        guard let members = value.object else {
            findings.error(place, "is no object with mode, grace, ipLiterals")
            return
        }
        var binding = DNSBoundEgress()
        for name in members.keys.sorted() where !["mode", "grace", "ipLiterals"].contains(name) {
            findings.error("\(place).\(name)", "is unknown; there are mode, grace, ipLiterals")
        }
        if let mode = members["mode"] {
            if let known = DNSBoundEgress.Mode(rawValue: mode.string ?? "") {
                binding.mode = known
            } else {
                findings.error("\(place).mode", "`\(mode.string ?? mode.text())` is none of OFF, AUDIT, ENFORCE")
            }
        }
        if let grace = members["grace"] {
            if let duration = grace.string.flatMap(Self.duration), duration <= Self.graceMax {
                binding.grace = duration
            } else {
                findings.error(
                    "\(place).grace",
                    "`\(grace.string ?? grace.text())` is no duration up to 24h, such as 30s"
                )
            }
        }
        if let literals = members["ipLiterals"] {
            if literals.array == nil { findings.error("\(place).ipLiterals", "is no list of addresses") }
            for (index, literal) in (literals.array ?? []).enumerated() {
                if let range = literal.string.flatMap({ CIDR($0) }) {
                    binding.literals.append(range)
                } else {
                    let text = literal.string ?? literal.text()
                    findings.error("\(place).ipLiterals[\(index)]", "`\(text)` is no address or block of addresses")
                }
            }
        }
        settings.dnsBoundEgress = binding
    }

    /// `1m30s`, `500ms`: numbers with units, as Go writes durations.
    static func duration(_ text: String) -> Duration? {
        var rest = Substring(text)
        var sum = Duration.zero
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard let number = Int64(digits), number < 1_000_000_000 else { return nil }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            switch unit {
            case "ms": sum += .milliseconds(number)
            case "s": sum += .seconds(number)
            case "m": sum += .seconds(number * 60)
            case "h": sum += .seconds(number * 3600)
            default: return nil
            }
        }
        return sum
    }
}
