import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct RemoteObjectsTests {
    /// What a list of each kind says.
    private static func lists() throws -> [MeshKind: [KubernetesObject]] {
        let yaml =
            TwoClusters.network("west")
            + TwoClusters.service("reviews", address: "10.218.0.7", pod: "10.217.1.5")
        return Dictionary(
            grouping: try YAML.documents(yaml).map { KubernetesObject(json: $0.value) },
            by: { MeshKind(rawValue: $0.kind) ?? .service }
        )
    }

    private static func list(
        _ kinds: [MeshKind],
        into remotes: inout RemoteObjects,
        connection: UInt64
    ) throws -> [MeshChange] {
        let lists = try Self.lists()
        return kinds.flatMap { kind in
            [
                remotes.apply(kind, .replacedAll(lists[kind] ?? []), of: "west", connection: connection),
                remotes.listed(kind, of: "west", connection: connection),
            ]
        }
    }

    private static func endpoints(_ remotes: RemoteObjects) -> [Endpoint] {
        SnapshotBuilder.build(MeshObjects(), remotes: remotes.usable, revision: 1).endpoints.values.flatMap { $0 }
    }

    @Test("A cluster does not count before the last kind is listed, whichever that is", arguments: RemoteCluster.kinds)
    func halfRead(_ last: MeshKind) throws {
        var remotes = RemoteObjects()
        remotes.connected("west", connection: 1, empty: MeshObjects())

        let changes = try Self.list(RemoteCluster.kinds.filter { $0 != last }, into: &remotes, connection: 1)

        #expect(changes.allSatisfy { $0 == .nothing })
        #expect(Self.endpoints(remotes).isEmpty)
        let whole = try Self.list([last], into: &remotes, connection: 1)
        #expect(whole == [.nothing, .full])
        #expect(Self.endpoints(remotes).map(\.network) == ["west"])
        #expect(Self.endpoints(remotes).map(\.hasMeshIdentity) == [true])
    }

    @Test("With a new connection what was known stays in use, and the old one has no say any more")
    func reconnected() throws {
        var remotes = RemoteObjects()
        remotes.connected("west", connection: 1, empty: MeshObjects())
        _ = try Self.list(RemoteCluster.kinds, into: &remotes, connection: 1)

        remotes.connected("west", connection: 2, empty: MeshObjects())

        let late = remotes.apply(.service, .replacedAll([]), of: "west", connection: 1)
        #expect(late == .nothing)
        #expect(Self.endpoints(remotes).count == 1)
        let change = remotes.apply(.service, .replacedAll([]), of: "west", connection: 2)
        #expect(change == .full)
        #expect(Self.endpoints(remotes).isEmpty)
    }

    @Test("What an earlier connection listed makes no newer one complete")
    func halfReadTwice() throws {
        var remotes = RemoteObjects()
        remotes.connected("west", connection: 1, empty: MeshObjects())
        _ = try Self.list([.service, .endpointSlice, .pod, .node], into: &remotes, connection: 1)
        remotes.connected("west", connection: 2, empty: MeshObjects())

        let late = remotes.listed(.namespace, of: "west", connection: 1)

        #expect(late == .nothing)
        #expect(remotes.usable.isEmpty)
    }

    @Test("A cluster that is removed means something only if it counted")
    func removed() throws {
        var remotes = RemoteObjects()
        remotes.connected("west", connection: 1, empty: MeshObjects())
        let early = remotes.removed("west")
        #expect(early == .nothing)

        remotes.connected("west", connection: 2, empty: MeshObjects())
        _ = try Self.list(RemoteCluster.kinds, into: &remotes, connection: 2)

        let change = remotes.removed("west")
        #expect(change == .full)
        #expect(remotes.usable.isEmpty)
    }
}
