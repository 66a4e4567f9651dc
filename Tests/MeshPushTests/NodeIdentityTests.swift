import MeshModel
import MeshPush
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct NodeIdentityTests {
    @Test("A node says who it is in its id, and its labels in its metadata")
    func parses() throws {
        var node = Envoy_Config_Core_V3_Node()
        node.id = "sidecar~10.213.1.7~reviews-v1-5d8f.x.default~default.svc.cluster.local"
        node.metadata.fields["LABELS"] = Google_Protobuf_Value(
            structValue: Google_Protobuf_Struct(fields: ["app": Google_Protobuf_Value(stringValue: "reviews")])
        )

        node.metadata.fields["SERVICE_ACCOUNT"] = Google_Protobuf_Value(stringValue: "bookinfo-reviews")
        node.locality.region = "eu"
        node.locality.zone = "eu-1"

        let key = try ProxyKey(node: node)

        #expect(key.serviceAccount == "bookinfo-reviews")
        #expect(key.locality == Locality(region: "eu", zone: "eu-1"))
        #expect(!key.isAuthenticated && !key.mintsAddresses && !key.holdsRequests)
        #expect(key.workload == ObjectID(namespace: "default", name: "reviews-v1-5d8f.x"))
        #expect(key.address == IPAddress("10.213.1.7"))
        #expect(key.labels == ["app": "reviews"])
        #expect(key.dnsDomain == "default.svc.cluster.local")
    }

    @Test(
        "A node says whether it can give addresses to names under wildcards",
        arguments: [("true", true), ("", false)]
    )
    func mintsAddresses(_ text: String, _ expected: Bool) throws {
        var node = Envoy_Config_Core_V3_Node()
        node.id = "sidecar~10.213.1.7~a.default~default.svc.cluster.local"
        node.metadata.fields["MINTS_ADDRESSES"] = Google_Protobuf_Value(stringValue: text)

        #expect(try ProxyKey(node: node).mintsAddresses == expected)
    }

    @Test("A node says whether it holds requests for revisions")
    func holdsRequests() throws {
        var node = Envoy_Config_Core_V3_Node()
        node.id = "sidecar~10.213.1.7~a.default~default.svc.cluster.local"
        node.metadata.fields["LATEEN_HOLDING"] = Google_Protobuf_Value(stringValue: "true")

        #expect(try ProxyKey(node: node).holdsRequests)
    }

    @Test(
        "A node that does not say who it is is refused",
        arguments: [
            "", "sidecar", "ghost~1.2.3.4~a.b~c", "sidecar~x~a.b~c", "sidecar~1.2.3.4~a~c", "sidecar~1.2.3.4~a.~c",
        ]
    )
    func refuses(_ id: String) {
        var node = Envoy_Config_Core_V3_Node()
        node.id = id

        #expect(throws: NodeError.self) { try ProxyKey(node: node) }
    }
}
