import MeshModel
import SwiftProtobuf
import XDSAPI

extension ListenerDraft {
    /// Tells our proxy what the workload's connections are held to. Envoy has nothing of the kind and ignores metadata
    /// that it does not know.
    mutating func setEgressBinding(_ binding: DNSBoundEgress) {
        guard binding != DNSBoundEgress() else { return }
        let literals = binding.literals.map { Google_Protobuf_Value(stringValue: $0.description) }
        let milliseconds = binding.grace / .milliseconds(1)
        self.setMetadata(
            "lateen",
            Google_Protobuf_Struct(fields: [
                "dns_bound_egress": Google_Protobuf_Value(
                    structValue: Google_Protobuf_Struct(fields: [
                        "mode": Google_Protobuf_Value(stringValue: binding.mode.rawValue),
                        "grace_milliseconds": Google_Protobuf_Value(numberValue: milliseconds),
                        "ip_literals": Google_Protobuf_Value(
                            listValue: Google_Protobuf_ListValue(values: literals)
                        ),
                    ])
                )
            ])
        )
    }
}
