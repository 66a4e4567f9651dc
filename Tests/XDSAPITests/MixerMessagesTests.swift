import SwiftProtobuf
import Testing
import XDSAPI

/// The messages of Istio's HTTP filter `mixer`.
@Suite struct MixerMessagesTests {
    @Test("A connection manager with the filter can be shown as JSON")
    func json() throws {
        typealias Manager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager
        XDSTypes.register()
        let config = Istio_Mixer_V1_Config_Client_HttpClientConfig.with { $0.transport.checkCluster = "engine" }
        let any = try Google_Protobuf_Any(message: config)
        let manager = Manager.with {
            $0.httpFilters = [
                .with {
                    $0.name = "mixer"
                    $0.typedConfig = any
                }
            ]
        }
        // Out of bytes, as a proxy has it: what is in the Any is not decoded yet.
        let received = try Manager(serializedBytes: try manager.serializedBytes() as [UInt8])
        #expect(try received.jsonString().contains("\"checkCluster\":\"engine\""))
    }
}
