import IstioAPI
package import KubernetesAPI
import MeshModel
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
        guard object.group == ResourceType.istioNetworkingGroup else { return [] }
        switch MeshKind(rawValue: object.kind) {
        case .serviceEntry:
            return self.unknownFields(Istio_Networking_V1alpha3_ServiceEntry.self, object)
                ?? self.errors(ServiceEntryParser.parse(object).diagnoses)
        case .virtualService:
            return self.unknownFields(Istio_Networking_V1alpha3_VirtualService.self, object)
                ?? self.errors(VirtualServiceParser.parse(object, domain: domain).diagnoses)
        case .destinationRule:
            return self.unknownFields(Istio_Networking_V1alpha3_DestinationRule.self, object)
                ?? self.errors(DestinationRuleParser.parse(object, domain: domain).diagnoses)
        case .service, .endpointSlice, .pod, .configMap, nil: return []
        }
    }

    /// The complaint of a strict reader; `nil` if it has none.
    private static func unknownFields<M: Message>(_ type: M.Type, _ object: KubernetesObject) -> [FieldError]? {
        let spec = object.spec.isNull ? JSONValue.object([:]) : object.spec
        do {
            _ = try IstioJSON.decode(type, from: Data(spec.serialize()))
            return nil
        } catch {
            return [FieldError(path: "spec", message: "\(error)")]
        }
    }

    private static func errors(_ diagnoses: [Diagnosis]) -> [FieldError] {
        diagnoses.filter { $0.severity == .error }.map { FieldError(path: $0.field, message: $0.message) }
    }
}
