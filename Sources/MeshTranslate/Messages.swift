import Foundation
import MeshModel
import SwiftProtobuf
import XDSAPI

extension Google_Protobuf_Any {
    /// Wraps `message`; maps are encoded in key order, so that equal messages have equal bytes.
    static func packing(_ message: some SwiftProtobuf.Message) -> Google_Protobuf_Any {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        var any = Google_Protobuf_Any()
        any.typeURL = "type.googleapis.com/" + type(of: message).protoMessageName
        do {
            any.value = try message.serializedBytes(partial: false, options: options)
        } catch {
            // Encoding fails only for proto2 messages without a required field; none of ours is proto2.
            preconditionFailure("cannot encode \(type(of: message).protoMessageName): \(error)")
        }
        return any
    }
}

extension Google_Protobuf_Duration {
    init(_ duration: Duration) {
        let parts = duration.components
        self.init(seconds: parts.seconds, nanos: Int32(truncatingIfNeeded: parts.attoseconds / 1_000_000_000))
    }
}

extension Envoy_Config_Core_V3_Address {
    /// `port` 0 is allowed where an address is bound to send from.
    static func socket(_ ip: String, _ port: UInt16) -> Envoy_Config_Core_V3_Address {
        .with {
            $0.socketAddress.address = ip
            $0.socketAddress.portValue = UInt32(port)
        }
    }
}

extension Envoy_Config_Core_V3_CidrRange {
    init(_ block: CIDR) {
        self.init()
        self.addressPrefix = block.network.description
        self.prefixLen = Google_Protobuf_UInt32Value(UInt32(block.prefixLength))
    }
}

extension Envoy_Config_Core_V3_ConfigSource {
    /// The stream that this message itself comes by.
    static let aggregated = Envoy_Config_Core_V3_ConfigSource.with {
        $0.ads = Envoy_Config_Core_V3_AggregatedConfigSource()
        $0.resourceApiVersion = .v3
        // Waits for the resource as long as it takes: a proxy without it has nothing useful to do.
        $0.initialFetchTimeout = Google_Protobuf_Duration(seconds: 0)
    }
}
