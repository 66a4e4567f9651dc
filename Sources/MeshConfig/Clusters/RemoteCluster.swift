/// What another cluster of the mesh has: its services, their endpoints and where they run. Its rules are its own.
package struct RemoteCluster: Sendable {
    package var name: String
    package var objects: MeshObjects

    package init(name: String, objects: MeshObjects) {
        self.name = name
        self.objects = objects
    }

    /// The kinds that are read there.
    package static let kinds: [MeshKind] = [.service, .endpointSlice, .pod, .node, .namespace]
}
