import Foundation
import GRPCCore
import SwiftProtobuf
import Testing
import XDSAPI

/// Pins field numbers and types with bytes worked out by hand from the protocol's field numbers.
@Suite struct WireFormatTests {
    @Test("A socket address keeps its field numbers")
    func socketAddress() throws {
        let address = Envoy_Config_Core_V3_SocketAddress.with {
            $0.address = "10.0.0.1"
            $0.portValue = 3306
        }

        let bytes = try Array(address.serializedData())

        // 2: "10.0.0.1"; 3: 3306
        #expect(bytes == [0x12, 8] + Array("10.0.0.1".utf8) + [0x18, 0xea, 0x19])
    }

    @Test("A listener keeps its field numbers, also those above fifteen")
    func listener() throws {
        let listener = Envoy_Config_Listener_V3_Listener.with {
            $0.name = "l"
            $0.useOriginalDst = true
            $0.trafficDirection = .outbound
            $0.defaultFilterChain = .init()
            $0.bindToPort = false
        }

        let bytes = try Array(listener.serializedData())

        // 1: "l"; 4: wrapper of true; 16: OUTBOUND; 25: empty message; 26: wrapper of false
        #expect(bytes == [0x0a, 1, 0x6c, 0x22, 2, 0x08, 1, 0x80, 0x01, 2, 0xca, 0x01, 0, 0xd2, 0x01, 0])
    }

    @Test("A cluster keeps its field numbers")
    func cluster() throws {
        let cluster = Envoy_Config_Cluster_V3_Cluster.with {
            $0.name = "c"
            $0.type = .eds
            $0.connectTimeout = .init(seconds: 10)
            $0.lbPolicy = .leastRequest
            $0.altStatName = "s"
        }

        let bytes = try Array(cluster.serializedData())

        // 1: "c"; 2: EDS; 4: duration of 10 s; 6: LEAST_REQUEST; 28: "s"
        #expect(
            bytes == [0x0a, 1, 0x63, 0x10, 3, 0x22, 2, 0x08, 10, 0x30, 1, 0xe2, 0x01, 1, 0x73]
        )
    }

    @Test("A discovery request keeps its field numbers")
    func discoveryRequest() throws {
        let bytes: [UInt8] =
            [0x0a, 1, 0x31, 0x1a, 1, 0x61, 0x22, 1, 0x74, 0x2a, 1, 0x6e, 0x32, 4, 0x08, 3, 0x12, 0]

        let request = try Envoy_Service_Discovery_V3_DiscoveryRequest(serializedBytes: bytes)

        #expect(request.versionInfo == "1")
        #expect(request.resourceNames == ["a"])
        #expect(request.typeURL == "t")
        #expect(request.responseNonce == "n")
        #expect(request.errorDetail.code == 3)
    }

    @Test("A name table keeps its field numbers")
    func nameTable() throws {
        let table = Istio_Networking_Nds_V1_NameTable.with {
            $0.table["h"] = .with {
                $0.ips = ["::1"]
                $0.registry = "External"
            }
        }

        let bytes = try Array(table.serializedData())

        let info: [UInt8] = [0x0a, 3] + Array("::1".utf8) + [0x12, 8] + Array("External".utf8)
        let entry: [UInt8] = [0x0a, 1, 0x68, 0x12, UInt8(info.count)] + info
        #expect(bytes == [0x0a, UInt8(entry.count)] + entry)
    }

    @Test("What is ours in a name table has numbers that Istio's agent skips")
    func nameTableExtensions() throws {
        let table = Istio_Networking_Nds_V1_NameTable.with {
            $0.table["h"] = .with {
                $0.ports = [.with { $0.port = 80 }]
                $0.alias = "a"
                $0.instances = ["i"]
            }
            $0.unaddressed["u"] = .init()
        }

        let bytes = try Array(table.serializedData())

        // Tags of fields 100, 101 and 102 with a length: 100 << 3 | 2 = 0x322 and so on, as varints.
        let info: [UInt8] = [0xa2, 0x06, 2, 0x18, 80, 0xaa, 0x06, 1, 0x61, 0xb2, 0x06, 1, 0x69]
        let entry: [UInt8] = [0x0a, 1, 0x68, 0x12, UInt8(info.count)] + info
        #expect(bytes == [0x0a, UInt8(entry.count)] + entry + [0xa2, 0x06, 5, 0x0a, 1, 0x75, 0x12, 0])
    }

    @Test("Fields that were left out survive a round trip")
    func unknownFields() throws {
        // 17 of RouteConfiguration is `metadata`; 200 is nothing that we know.
        let bytes: [UInt8] = [0x0a, 1, 0x72, 0xc2, 0x0c, 2, 0x08, 7]

        let routes = try Envoy_Config_Route_V3_RouteConfiguration(serializedBytes: bytes)

        #expect(routes.name == "r")
        #expect(try Array(routes.serializedData()) == bytes)
    }

    @Test("Service and method names are those of the protocol")
    func services() {
        let streamed = Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Method.StreamAggregatedResources.descriptor
        let signed = Istio_V1_Auth_IstioCertificateService.Method.CreateCertificate.descriptor

        #expect(
            streamed.fullyQualifiedMethod
                == "envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
        )
        #expect(signed.fullyQualifiedMethod == "istio.v1.auth.IstioCertificateService/CreateCertificate")
    }
}
