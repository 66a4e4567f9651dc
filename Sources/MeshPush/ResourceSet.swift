package import Foundation
import MeshTranslate
import SwiftProtobuf
import XDSAPI

/// One resource as it goes over the wire.
package struct EncodedResource: Hashable, Sendable {
    package var name: String
    package var bytes: Data
    /// Of a cluster: the name that its endpoints have.
    package var endpointsName: String

    /// Without `endpointsName` the endpoints of a cluster have its own.
    package init(name: String, bytes: Data, endpointsName: String? = nil) {
        self.name = name
        self.bytes = bytes
        self.endpointsName = endpointsName ?? name
    }
}

/// All that one proxy may subscribe to, encoded once; equal bytes mean equal resources.
package struct ResourceSet: Equatable, Sendable {
    /// By kind, each list in order of names. The name table is here in shards.
    package private(set) var resources: [ResourceKind: [EncodedResource]]

    package init(_ resources: [ResourceKind: [EncodedResource]] = [:]) {
        self.resources = resources.mapValues { $0.sorted { $0.name < $1.name } }
    }

    package subscript(_ kind: ResourceKind) -> [EncodedResource] { self.resources[kind] ?? [] }

    /// Replaces or adds single resources of a kind.
    package mutating func replace(_ kind: ResourceKind, with changed: [EncodedResource]) {
        let names = Set(changed.map(\.name))
        self.resources[kind] = (self[kind].filter { !names.contains($0.name) } + changed).sorted { $0.name < $1.name }
    }

    /// Replaces all resources of a kind.
    mutating func set(_ kind: ResourceKind, to all: [EncodedResource]) {
        self.resources[kind] = all.sorted { $0.name < $1.name }
    }
}

extension ResourceSet {
    init(_ resources: ProxyResources) {
        self.init([
            .cluster: resources.clusters.map { cluster in
                var resource = EncodedResource(cluster.name, cluster)
                let other = cluster.edsClusterConfig.serviceName
                if !other.isEmpty { resource.endpointsName = other }
                return resource
            },
            .endpoint: resources.endpoints.map { EncodedResource($0.clusterName, $0) },
            .listener: resources.listeners.map { EncodedResource($0.name, $0) },
            .route: resources.routes.map { EncodedResource($0.name, $0) },
            .secret: resources.secrets.map { EncodedResource($0.name, $0) },
            .nameTable: NameShards.encoded(resources.nameTable),
        ])
    }
}

extension EncodedResource {
    init(_ name: String, _ message: some SwiftProtobuf.Message) {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        do {
            self.init(name: name, bytes: try message.serializedBytes(partial: false, options: options))
        } catch {
            // Encoding fails only for proto2 messages without a required field; none of ours is proto2.
            preconditionFailure("cannot encode \(name): \(error)")
        }
    }
}
