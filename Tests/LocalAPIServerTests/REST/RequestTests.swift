import KubernetesAPI
import LocalAPIServer
import NIOCore
import Testing

@Suite struct RequestTests {
    private let catalogue = BuiltinKinds.catalogue(preferredVersions: [:])

    @Test(
        "Addresses name kinds, objects and parts of objects",
        arguments: [
            ("api/v1/pods", "pods", nil, nil, nil), ("api/v1/namespaces", "namespaces", nil, nil, nil),
            ("api/v1/namespaces/x", "namespaces", nil, "x", nil),
            ("api/v1/namespaces/x/status", "namespaces", nil, "x", "status"),
            ("api/v1/namespaces/x/pods", "pods", "x", nil, nil),
            ("api/v1/namespaces/x/pods/p/log", "pods", "x", "p", "log"),
            ("apis/apps/v1/namespaces/x/deployments/d/scale", "deployments", "x", "d", "scale"),
        ] as [(String, String, String?, String?, String?)]
    )
    func targets(_ path: String, _ plural: String, _ namespace: String?, _ name: String?, _ part: String?) throws {
        let target = try APIDispatcher.target(path.split(separator: "/").map(String.init), self.catalogue)
        #expect(target.info.plural == plural)
        #expect(target.namespace == namespace)
        #expect(target.name == name)
        #expect(target.subresource == part)
    }

    @Test(
        "Other addresses are unknown",
        arguments: [
            "api/v1", "api/v2/pods", "api/v1/nope", "apis/apps/v1/pods", "api/v1/pods/p", "api/v1/namespaces/x/nodes",
            "api/v1/namespaces/x/pods/p/log/more",
        ]
    )
    func unknown(_ path: String) {
        #expect(throws: APIFailure.self) {
            try APIDispatcher.target(path.split(separator: "/").map(String.init), self.catalogue)
        }
    }

    @Test("A protobuf body becomes the object it encodes")
    func protobuf() throws {
        // runtime.Unknown of a Namespace with metadata.name = "x" and empty fields, as client-go writes it.
        let namespace: [UInt8] = [0x0A, 0x05, 0x0A, 0x01, 0x78, 0x12, 0x00, 0x12, 0x00, 0x1A, 0x00]
        let type: [UInt8] = [0x0A, 0x02] + Array("v1".utf8) + [0x12, 0x09] + Array("Namespace".utf8)
        let body =
            [0x6B, 0x38, 0x73, 0x00, 0x0A, UInt8(type.count)] + type + [0x12, UInt8(namespace.count)] + namespace
        let object = try ProtobufBody.parse(ByteBuffer(bytes: body))
        #expect(object == ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "x"]])
    }

    @Test(
        "Damaged protobuf bodies are refused",
        arguments: [[], [0x6B, 0x38, 0x73], [0x6B, 0x38, 0x73, 0, 0x0A, 0xFF]]
    )
    func damagedProtobuf(_ bytes: [UInt8]) {
        #expect(throws: APIFailure.self) { try ProtobufBody.parse(ByteBuffer(bytes: bytes)) }
    }

    @Test("Names follow RFC 1123")
    func names() {
        #expect(Names.isSubdomain("a.b-c.9") && Names.isLabel("a-1") && Names.isQualified("app.io/Name_1"))
        for bad in ["", "A", "-a", "a-", "a..b", "a_b"] { #expect(!Names.isSubdomain(bad)) }
        #expect(!Names.isLabel(String(repeating: "a", count: 64)))
        #expect(Names.isLabelValue("") && !Names.isLabelValue("a b"))
    }
}
