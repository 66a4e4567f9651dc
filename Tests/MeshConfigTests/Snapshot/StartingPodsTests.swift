import MeshConfig
import MeshModel
import Testing

@Suite("Pods that callers ask themselves")
struct StartingPodsTests {
    private static let service = """
        apiVersion: v1
        kind: Service
        metadata:
          name: s-1
          annotations: {activation.lateen.dev/revision: s-1, activation.lateen.dev/probe: connect}
        spec: {clusterIP: 10.96.0.7, selector: {revision: s-1}, ports: [{name: http, port: 80, targetPort: 8080}]}
        """

    private static func pod(
        _ name: String = "p",
        labels: String = "{revision: s-1}",
        isReady: Bool = false,
        metadata: String = ""
    ) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata:
          name: \(name)
          labels: \(labels)
          annotations: {activation.lateen.dev/revision: s-1}
          \(metadata)
        status:
          phase: Running
          podIP: 10.213.1.9
          conditions: [{type: Ready, status: '\(isReady ? "True" : "False")'}]
        """
    }

    private static func slice(_ condition: String) -> String {
        """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: s-1-x, labels: {kubernetes.io/service-name: s-1}}
        addressType: IPv4
        ports: [{name: http, port: 8080}]
        endpoints: [{addresses: [10.213.1.9], conditions: {\(condition)}}]
        """
    }

    /// Address, port, and how it is, of each endpoint; each change must tell of what it brings.
    private func endpoints(_ documents: String...) throws -> [String] {
        var mesh = try Mesh(documents[0])
        var snapshot = mesh.snapshot
        for document in documents.dropFirst() {
            for change in try mesh.apply(document) {
                snapshot = SnapshotBuilder.rebuild(snapshot, after: change, of: mesh.objects, revision: 1)
            }
        }
        #expect(snapshot.endpoints == mesh.snapshot.endpoints)
        return mesh.endpoints("s-1.default.svc.cluster.local").map {
            "\($0.address) \($0.port) \($0.isReady ? "ready" : $0.isStarting ? "starting" : "neither")"
        }
    }

    @Test("A pod is told of as soon as it has an address, before a slice has it")
    func early() throws {
        #expect(try self.endpoints(Self.service, Self.pod()).count == 1)
        #expect(try self.endpoints(Self.service, Self.pod()).allSatisfy { $0.hasSuffix("8080 starting") })
        #expect(try self.endpoints(Self.pod(), Self.service) == self.endpoints(Self.service, Self.pod()))
    }

    @Test("What a slice says of a pod counts, and a pod that is ready before its slice is stays")
    func slices() throws {
        let ready = try self.endpoints(Self.service, Self.pod(), Self.slice("ready: true"))
        #expect(ready.count == 1 && ready.allSatisfy { $0.hasSuffix("8080 ready") })
        let ending = try self.endpoints(Self.service, Self.pod(), Self.slice("ready: false, terminating: true"))
        #expect(ending.allSatisfy { $0.hasSuffix("neither") })
        let early = try self.endpoints(Self.service, Self.pod(isReady: true))
        #expect(early.count == 1 && early.allSatisfy { $0.hasSuffix("starting") })
    }

    @Test("Pods that end, that the Service does not select, or that nobody asks are not told of")
    func others() throws {
        #expect(try self.endpoints(Self.service, Self.pod(labels: "{revision: s-2}")).isEmpty)
        let ending = "deletionTimestamp: '2026-01-01T00:00:00Z'"
        #expect(try self.endpoints(Self.service, Self.pod(), Self.pod(metadata: ending)).isEmpty)
        let waiting = Self.service.replacing(", activation.lateen.dev/probe: connect", with: "")
        #expect(try self.endpoints(waiting, Self.pod()).isEmpty)
        let named = Self.service.replacing("8080", with: "user-port")
        #expect(try self.endpoints(named, Self.pod()).isEmpty)
    }

    @Test("Nobody asks pods of a Service that is gone, or is of another revision now")
    func changes() throws {
        var mesh = try Mesh(Self.service)
        try mesh.apply(Self.service.replacing("revision: s-1, activation", with: "revision: s-2, activation"))
        let host = try mesh.snapshot.services.map { try #require($0.activation?.revision.name) }
        #expect(host == ["s-2"])
        #expect(try mesh.apply(Self.pod()) == [.endpoints([])])
        try mesh.apply(Self.service)
        _ = mesh.delete(.service, "s-1")
        #expect(try mesh.apply(Self.pod(isReady: true)) == [.endpoints([])])
    }
}
