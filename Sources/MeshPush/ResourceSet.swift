package import Foundation
import MeshTranslate
import SwiftProtobuf
import XDSAPI

/// One resource as it goes over the wire.
package struct EncodedResource: Hashable, Sendable {
    package var name: String
    package var bytes: Data

    package init(name: String, bytes: Data) {
        self.name = name
        self.bytes = bytes
    }
}

/// All that one proxy may subscribe to, encoded once; equal bytes mean equal resources.
package struct ResourceSet: Equatable, Sendable {
    /// By kind, each list in order of names.
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
}

extension ResourceSet {
    init(_ resources: ProxyResources) {
        self.init([
            .cluster: resources.clusters.map { EncodedResource($0.name, $0) },
            .endpoint: resources.endpoints.map { EncodedResource($0.clusterName, $0) },
            .listener: resources.listeners.map { EncodedResource($0.name, $0) },
            .route: resources.routes.map { EncodedResource($0.name, $0) },
            .nameTable: [EncodedResource("nametable", resources.nameTable)],
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
