import Foundation
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

/// Compares resources with the file `Golden/NAME.json`; with `UPDATE_GOLDEN=1` it writes the file instead.
enum Golden {
    static func check(_ name: String, _ resources: ProxyResources, location: SourceLocation = #_sourceLocation) throws {
        let found = try self.json(of: resources)
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Golden/\(name).json")
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try Data(found.utf8).write(to: file)
            return
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        if found == expected { return }
        let lines = zip(found.split(separator: "\n"), expected.split(separator: "\n"))
        let difference = lines.enumerated().first { $0.element.0 != $0.element.1 }
        Issue.record(
            """
            differs from Golden/\(name).json at line \(difference.map { $0.offset + 1 } ?? -1):
            found    \(difference?.element.0 ?? "")
            expected \(difference?.element.1 ?? "")
            UPDATE_GOLDEN=1 rewrites the file
            """,
            sourceLocation: location
        )
    }

    static func json(of resources: ProxyResources) throws -> String {
        try self.register()
        var parts: [String: Any] = [
            "clusters": try resources.clusters.map(self.object),
            "endpoints": try resources.endpoints.map(self.object),
            "listeners": try resources.listeners.map(self.object),
            "routes": try resources.routes.map(self.object),
            "nameTable": try self.object(resources.nameTable),
        ]
        if !resources.secrets.isEmpty { parts["secrets"] = try resources.secrets.map(self.object) }
        let data = try JSONSerialization.data(
            withJSONObject: parts,
            options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        )
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    private static func object(_ message: some SwiftProtobuf.Message) throws -> Any {
        try JSONSerialization.jsonObject(with: message.jsonUTF8Data())
    }

    /// JSON of an `Any` needs to know the messages that may be inside.
    private static func register() throws {
        let types: [any SwiftProtobuf.Message.Type] = [
            Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager.self,
            Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy.self,
            Envoy_Extensions_Filters_Http_Cors_V3_Cors.self,
            Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy.self,
            Envoy_Extensions_Filters_Http_Router_V3_Router.self,
            Envoy_Extensions_Filters_Listener_OriginalDst_V3_OriginalDst.self,
            Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector.self,
            Envoy_Extensions_Filters_Listener_HttpInspector_V3_HttpInspector.self,
            Envoy_Extensions_AccessLoggers_File_V3_FileAccessLog.self,
            Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions.self,
            Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext.self,
            Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext.self,
            Envoy_Extensions_TransportSockets_RawBuffer_V3_RawBuffer.self,
        ]
        for type in types where !Google_Protobuf_Any.register(messageType: type) {
            throw NotAValue(text: type.protoMessageName)
        }
    }
}
