import MeshConfig
import MeshModel
import Testing

@Suite struct ServiceEntryEndpointTests {
    @Test("Endpoints carry place, network, weight, account and identity")
    func whole() throws {
        let mesh = try Mesh(
            Samples.entry(
                """
                {hosts: [a.test], resolution: STATIC, location: MESH_INTERNAL, subjectAltNames: [x], ports: [{number: 80, name: h}],
                 endpoints: [{address: 10.0.0.1, locality: eu/a/rack, network: n, weight: 3, serviceAccount: sa,
                              labels: {security.istio.io/tlsMode: istio}}, {address: 10.0.0.2}]}
                """
            )
        )
        #expect(mesh.snapshot.diagnoses == [])
        #expect(mesh.snapshot.services.first?.subjectAltNames == ["x"])
        let endpoints = mesh.endpoints("a.test")
        let first = try #require(endpoints.first)
        #expect(first.locality == Locality(region: "eu", zone: "a", subzone: "rack"))
        #expect(first.network == "n" && first.weight == 3 && first.serviceAccount == "sa" && first.hasMeshIdentity)
        let second = try #require(endpoints.last)
        #expect(second.locality.isEmpty && second.weight == 1 && !second.hasMeshIdentity)
    }
}
