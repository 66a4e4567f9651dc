internal import MeshModel
internal import SwiftProtobuf
internal import XDSAPI

/// DNS-bound egress out of a listener's metadata.
enum EgressBuilder {
    /// `nil`: nothing is said, or what is said is wrong, which is a finding.
    static func binding(
        _ metadata: Envoy_Config_Core_V3_Metadata,
        at path: String,
        _ findings: inout Findings
    ) -> DNSBoundEgress? {
        guard let value = metadata.filterMetadata["lateen"]?.fields["dns_bound_egress"] else { return nil }
        let place = "\(path).filter_metadata[lateen].dns_bound_egress"
        let fields = value.structValue.fields
        var binding = DNSBoundEgress()
        guard let mode = DNSBoundEgress.Mode(rawValue: fields["mode"]?.stringValue ?? "") else {
            findings.add("\(place).mode", "is none of OFF, AUDIT, ENFORCE")
            return nil
        }
        binding.mode = mode
        if let grace = fields["grace_milliseconds"]?.numberValue {
            guard let milliseconds = Int64(exactly: grace), (0...86_400_000).contains(milliseconds) else {
                findings.add("\(place).grace_milliseconds", "is no whole number up to a day")
                return nil
            }
            binding.grace = .milliseconds(milliseconds)
        }
        for (index, literal) in (fields["ip_literals"]?.listValue.values ?? []).enumerated() {
            guard let range = CIDR(literal.stringValue) else {
                findings.add("\(place).ip_literals[\(index)]", "`\(literal.stringValue)` is no address or block")
                return nil
            }
            binding.literals.append(range)
        }
        return binding
    }
}
