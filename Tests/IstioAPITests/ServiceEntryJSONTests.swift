import Foundation
import IstioAPI
import SwiftProtobuf
import Testing

@Suite struct ServiceEntryJSONTests {
    @Test("The spec of a database outside the mesh is read, protocol in lower case and no resolution")
    func readsExternalDatabase() throws {
        let json = """
            {
              "hosts": ["mysqldb.outside.test"],
              "addresses": ["10.215.0.10/32"],
              "ports": [{"name": "tcp", "number": 3306, "protocol": "tcp"}],
              "location": "MESH_EXTERNAL"
            }
            """

        let entry = try IstioJSON.decode(Istio_Networking_V1alpha3_ServiceEntry.self, from: Data(json.utf8))

        #expect(entry.hosts == ["mysqldb.outside.test"])
        #expect(entry.addresses == ["10.215.0.10/32"])
        #expect(entry.ports.map(\.number) == [3306])
        #expect(entry.ports.map(\.protocol) == ["tcp"])
        #expect(entry.location == .meshExternal)
        #expect(entry.resolution == .none)
    }

    @Test("Either spelling of a field is read", arguments: ["sniHosts", "sni_hosts"])
    func readsEitherSpelling(_ name: String) throws {
        let json = """
            {"hosts": ["edition.cnn.com"],
             "tls": [{"match": [{"port": 443, "\(name)": ["edition.cnn.com"]}],
                      "route": [{"destination": {"host": "edition.cnn.com", "port": {"number": 443}}, "weight": 100}]}]}
            """

        let service = try IstioJSON.decode(Istio_Networking_V1alpha3_VirtualService.self, from: Data(json.utf8))

        #expect(service.tls.first?.match.first?.sniHosts == ["edition.cnn.com"])
    }

    @Test("A misspelled field of an object is refused, an unknown mesh setting is not")
    func refusesUnknownFields() throws {
        let json = Data(#"{"hostz": ["a"]}"#.utf8)

        #expect(throws: (any Error).self) {
            _ = try IstioJSON.decode(Istio_Networking_V1alpha3_ServiceEntry.self, from: json)
        }
        let mesh = Data(#"{"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}, "enableTracing": true}"#.utf8)
        let settings = try IstioJSON.decode(
            Istio_Mesh_V1alpha1_MeshConfig.self,
            from: mesh,
            ignoringUnknownFields: true
        )
        #expect(settings.outboundTrafficPolicy.mode == .registryOnly)
        #expect(settings.hasOutboundTrafficPolicy)
    }
}
