internal import Foundation
internal import SwiftProtobuf
package import TrafficEngine
internal import XDSAPI

/// Shows resources in the shape of Envoy's `/config_dump`.
package enum ConfigurationDump {
    /// JSON text, with `[redacted]` where keys stand.
    ///
    /// - Parameters:
    ///   - resources: what was received.
    ///   - areStatic: whether they stood in a file, not on a stream.
    ///   - ownSecrets: secrets that did not come with them.
    /// - Returns: JSON.
    /// - Throws: that a resource cannot be shown in JSON.
    package static func json(
        _ resources: ReceivedResources,
        areStatic: Bool,
        ownSecrets: [String: TLSSecret] = [:]
    ) throws -> String {
        XDSTypes.register()
        var dump = Envoy_Admin_V3_ConfigDump()
        dump.configs = [
            try Google_Protobuf_Any(message: self.clusters(resources.clusters, areStatic)),
            try Google_Protobuf_Any(message: self.endpoints(resources.endpoints)),
            try Google_Protobuf_Any(message: self.listeners(resources.listeners, areStatic)),
            try Google_Protobuf_Any(message: self.routes(resources.routes)),
            try Google_Protobuf_Any(message: self.secrets(resources.secrets, ownSecrets)),
        ]
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        options.useDeterministicOrdering = true
        let compact = try dump.jsonString(options: options)
        let value = Redaction.redacted(try JSONSerialization.jsonObject(with: Data(compact.utf8)))
        let pretty = try JSONSerialization.data(
            withJSONObject: value,
            options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        )
        return String(decoding: pretty, as: UTF8.self) + "\n"
    }

    private static func failure(_ resource: ReceivedResource) -> Envoy_Admin_V3_UpdateFailureState? {
        resource.error.map { error in
            .with {
                $0.details = error
                $0.versionInfo = resource.version
            }
        }
    }

    private static func listeners(
        _ resources: [ReceivedResource],
        _ areStatic: Bool
    ) -> Envoy_Admin_V3_ListenersConfigDump {
        .with { dump in
            if areStatic {
                dump.staticListeners = resources.map { resource in
                    .with {
                        $0.listener = resource.resource
                        $0.lastUpdated = resource.updated
                    }
                }
                return
            }
            dump.versionInfo = resources.last?.version ?? ""
            dump.dynamicListeners = resources.map { resource in
                .with {
                    $0.name = resource.name
                    $0.activeState.versionInfo = resource.version
                    $0.activeState.listener = resource.resource
                    $0.activeState.lastUpdated = resource.updated
                    if let failure = self.failure(resource) { $0.errorState = failure }
                }
            }
        }
    }

    private static func clusters(
        _ resources: [ReceivedResource],
        _ areStatic: Bool
    ) -> Envoy_Admin_V3_ClustersConfigDump {
        .with { dump in
            if areStatic {
                dump.staticClusters = resources.map { resource in
                    .with {
                        $0.cluster = resource.resource
                        $0.lastUpdated = resource.updated
                    }
                }
                return
            }
            dump.versionInfo = resources.last?.version ?? ""
            dump.dynamicActiveClusters = resources.map { resource in
                .with {
                    $0.versionInfo = resource.version
                    $0.cluster = resource.resource
                    $0.lastUpdated = resource.updated
                    if let failure = self.failure(resource) { $0.errorState = failure }
                }
            }
        }
    }

    private static func routes(_ resources: [ReceivedResource]) -> Envoy_Admin_V3_RoutesConfigDump {
        .with { dump in
            dump.dynamicRouteConfigs = resources.map { resource in
                .with {
                    $0.versionInfo = resource.version
                    $0.routeConfig = resource.resource
                    $0.lastUpdated = resource.updated
                    if let failure = self.failure(resource) { $0.errorState = failure }
                }
            }
        }
    }

    private static func secrets(
        _ resources: [ReceivedResource],
        _ own: [String: TLSSecret]
    ) throws -> Envoy_Admin_V3_SecretsConfigDump {
        try .with { dump in
            dump.dynamicActiveSecrets = try own.sorted { $0.key < $1.key }.map { name, secret in
                try .with {
                    $0.name = name
                    $0.secret = try Google_Protobuf_Any(message: SecretMessage.make(name, secret))
                }
            }
            dump.dynamicActiveSecrets += resources.map { resource in
                .with {
                    $0.name = resource.name
                    $0.versionInfo = resource.version
                    $0.secret = resource.resource
                    $0.lastUpdated = resource.updated
                    if let failure = self.failure(resource) { $0.errorState = failure }
                }
            }
        }
    }

    private static func endpoints(_ resources: [ReceivedResource]) -> Envoy_Admin_V3_EndpointsConfigDump {
        .with { dump in
            dump.dynamicEndpointConfigs = resources.map { resource in
                .with {
                    $0.versionInfo = resource.version
                    $0.endpointConfig = resource.resource
                    $0.lastUpdated = resource.updated
                    if let failure = self.failure(resource) { $0.errorState = failure }
                }
            }
        }
    }
}
