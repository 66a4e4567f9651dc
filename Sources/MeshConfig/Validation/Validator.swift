import IstioAPI
package import KubernetesAPI
package import MeshModel
import SwiftProtobuf

import struct Foundation.Data

/// One mistake in an object, and where it is.
package struct FieldError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `spec.ports[0].number`
    package var path: String
    package var message: String

    package init(path: String, message: String) {
        self.path = path
        self.message = message
    }

    package var description: String { self.path.isEmpty ? self.message : "\(self.path): \(self.message)" }
}

/// Says what is wrong with an object before it is stored.
///
/// It reads the object as the control plane would, so that what is accepted here is in force there, and is strict about
/// fields that nobody knows.
package enum Validator {
    /// All mistakes; none for kinds that we do not know.
    package static func errors(for object: KubernetesObject, domain: String = "cluster.local") -> [FieldError] {
        self.diagnoses(for: object, domain: domain).filter { $0.severity == .error }
            .map { FieldError(path: $0.field, message: $0.message) }
    }

    /// All mistakes, and what works but perhaps not as its author thinks; none for kinds that we do not know.
    package static func diagnoses(for object: KubernetesObject, domain: String = "cluster.local") -> [Diagnosis] {
        guard let kind = MeshKind(rawValue: object.kind), object.group == kind.resourceType.group else { return [] }
        switch kind {
        case .serviceEntry:
            return self.unknownFields(Istio_Networking_V1alpha3_ServiceEntry.self, object)
                ?? ServiceEntryParser.parse(object).diagnoses
        case .workloadEntry:
            return self.unknownFields(Istio_Networking_V1alpha3_WorkloadEntry.self, object)
                ?? WorkloadEntryParser.parse(object).diagnoses
        case .workloadGroup:
            return self.unknownFields(Istio_Networking_V1alpha3_WorkloadGroup.self, object)
                ?? WorkloadGroupParser.parse(object).diagnoses
        case .virtualService:
            return self.unknownFields(Istio_Networking_V1alpha3_VirtualService.self, object)
                ?? VirtualServiceParser.parse(object, domain: domain).diagnoses
        case .destinationRule:
            return self.unknownFields(Istio_Networking_V1alpha3_DestinationRule.self, object)
                ?? DestinationRuleParser.parse(object, domain: domain).diagnoses
        case .gateway:
            return self.unknownFields(Istio_Networking_V1alpha3_Gateway.self, object)
                ?? GatewayParser.parse(object).diagnoses
        case .sidecar:
            return self.unknownFields(Istio_Networking_V1alpha3_Sidecar.self, object)
                ?? SidecarParser.parse(object).diagnoses
        case .peerAuthentication:
            return self.unknownFields(Istio_Security_V1beta1_PeerAuthentication.self, object)
                ?? PeerAuthenticationParser.parse(object).diagnoses
        case .requestAuthentication:
            return self.unknownFields(Istio_Security_V1beta1_RequestAuthentication.self, object)
                ?? RequestAuthenticationParser.parse(object).diagnoses
        case .authorizationPolicy:
            return self.unknownFields(Istio_Security_V1beta1_AuthorizationPolicy.self, object)
                ?? AuthorizationPolicyParser.parse(object).diagnoses
        case .policy, .meshPolicy:
            return self.unknownFields(
                Istio_Authentication_V1alpha1_Policy.self,
                LegacyPolicyParser.withoutNulls(object)
            ) ?? LegacyPolicyParser.parse(object, kind: kind).diagnoses
        case .quotaSpec:
            return self.unknownFields(Istio_Mixer_V1_Config_Client_QuotaSpec.self, object)
                ?? QuotaParser.parse(spec: object).diagnoses
        case .quotaSpecBinding:
            return self.unknownFields(Istio_Mixer_V1_Config_Client_QuotaSpecBinding.self, object)
                ?? QuotaParser.parse(binding: object, domain: domain).diagnoses
        case .apiSpec:
            return self.unknownFields(Istio_Mixer_V1_Config_Client_HTTPAPISpec.self, object)
                ?? APISpecParser.parse(spec: object).diagnoses
        case .apiSpecBinding:
            return self.unknownFields(Istio_Mixer_V1_Config_Client_HTTPAPISpecBinding.self, object)
                ?? APISpecParser.parse(binding: object, domain: domain).diagnoses
        case .service, .endpointSlice, .pod, .node, .namespace, .configMap, .secret: return []
        }
    }

    /// The complaint of a strict reader; `nil` if it has none.
    private static func unknownFields<M: Message>(_ type: M.Type, _ object: KubernetesObject) -> [Diagnosis]? {
        let spec = object.spec.isNull ? JSONValue.object([:]) : object.spec
        do {
            _ = try IstioJSON.decode(type, from: Data(spec.serialize()))
            return nil
        } catch {
            var findings = Findings(object.kind, object)
            findings.error("spec", "\(error)")
            return findings.diagnoses
        }
    }
}
