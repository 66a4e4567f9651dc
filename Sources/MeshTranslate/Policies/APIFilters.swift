import MeshModel
import SwiftProtobuf
import XDSAPI

/// HTTPAPISpecs as the filter `mixer` has them.
struct APIFilters {
    typealias Spec = Istio_Mixer_V1_Config_Client_HTTPAPISpec
    private typealias Attributes = Istio_Mixer_V1_Attributes

    private let snapshot: MeshSnapshot

    init(_ snapshot: MeshSnapshot) { self.snapshot = snapshot }

    /// Those that are bound to a service, the oldest first, as many as proxies take.
    func specs(of host: HostName) -> [Spec] {
        let bindings = self.snapshot.interfaces.filter { $0.hosts.contains { $0.covers(host) } }
        return APISpec.fitting(bindings.flatMap(\.specs)).map(Self.spec)
    }

    /// Adds what requests to services outside the mesh mean: no proxy of ours stands in front of those.
    func add(to configs: inout [String: Istio_Mixer_V1_Config_Client_ServiceConfig]) {
        if self.snapshot.interfaces.isEmpty { return }
        // Hosts may repeat: the oldest service counts, as it does for its clusters.
        var seen: Set<HostName> = []
        for service in self.snapshot.services where service.isExternal && seen.insert(service.host).inserted {
            let specs = self.specs(of: service.host)
            if specs.isEmpty { continue }
            var config = configs[service.host.text, default: .init()]
            config.mixerAttributes.attributes = ServiceAttributes.of(service).mapValues { .text($0) }
            config.httpApiSpec = specs
            configs[service.host.text] = config
        }
    }

    private static func spec(_ spec: APISpec) -> Spec {
        .with {
            $0.attributes = Self.attributes(spec.attributes)
            $0.patterns = spec.operations.map { operation in
                .with {
                    $0.attributes = Self.attributes(operation.attributes)
                    $0.httpMethod = operation.method
                    switch operation.path {
                    case .template(let template): $0.uriTemplate = template.source
                    case .regex(let regex): $0.regex = regex
                    }
                }
            }
            $0.apiKeys = spec.keyPlaces.map { place in
                .with {
                    switch place {
                    case .query(let name): $0.query = name
                    case .header(let name): $0.header = name
                    case .cookie(let name): $0.cookie = name
                    }
                }
            }
        }
    }

    private static func attributes(_ values: [String: APISpec.Value]) -> Attributes {
        .with {
            $0.attributes = values.mapValues { value in
                .with {
                    switch value {
                    case .text(let text): $0.stringValue = text
                    case .number(let number): $0.int64Value = number
                    case .fraction(let number): $0.doubleValue = number
                    case .truth(let truth): $0.boolValue = truth
                    case .map(let entries): $0.stringMapValue.entries = entries
                    }
                }
            }
        }
    }
}
