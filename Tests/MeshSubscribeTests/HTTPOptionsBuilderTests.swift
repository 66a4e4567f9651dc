import MeshSubscribe
import SwiftProtobuf
import Testing
import TrafficEngine
import XDSAPI

@Suite struct HTTPOptionsBuilderTests {
    private typealias Options = Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions
    private typealias Manager = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager

    @Test("A cluster speaks the version that its options name, with their windows")
    func versions() throws {
        #expect(try self.cluster(nil)?.httpVersion == .http1)
        #expect(try self.cluster(.with { $0.explicitHTTPConfig.httpProtocolOptions = .init() })?.httpVersion == .http1)
        #expect(try self.cluster(.with { $0.useDownstreamProtocolConfig = .init() })?.httpVersion == .asDownstream)
        #expect(try self.cluster(.with { $0.autoConfig = .init() })?.httpVersion == .negotiated)
        let second = try self.cluster(
            .with {
                $0.explicitHTTPConfig.http2ProtocolOptions.maxConcurrentStreams = Google_Protobuf_UInt32Value(7)
                $0.explicitHTTPConfig.http2ProtocolOptions.initialStreamWindowSize = Google_Protobuf_UInt32Value(70_000)
            }
        )
        #expect(second?.httpVersion == .http2)
        #expect(second?.http2.concurrentStreamsMax == 7)
        #expect(second?.http2.streamWindow == 70_000)
    }

    @Test("Windows that cannot be are refused", arguments: [0, 65_534, 0x8000_0000] as [UInt32])
    func windows(_ size: UInt32) throws {
        let options = Options.with {
            $0.explicitHTTPConfig.http2ProtocolOptions.initialStreamWindowSize = Google_Protobuf_UInt32Value(size)
        }
        var builder = StateBuilder()
        #expect(builder.setClusters([try Messages.any(try self.message(options))], version: "1") != [])
    }

    @Test("A listener's codec, its limits, and what becomes of the client's certificate")
    func managers() throws {
        let manager = try #require(
            try self.manager {
                $0.codecType = .http2
                $0.http2ProtocolOptions.maxConcurrentStreams = Google_Protobuf_UInt32Value(9)
                $0.forwardClientCertDetails = .appendForward
                $0.setCurrentClientCertDetails.subject = Google_Protobuf_BoolValue(true)
                $0.setCurrentClientCertDetails.uri = true
                $0.xffNumTrustedHops = 2
                $0.normalizePath = Google_Protobuf_BoolValue(true)
            }
        )
        #expect(manager.codec == .http2)
        #expect(manager.http2.concurrentStreamsMax == 9)
        #expect(manager.clientCertificateHeader.mode == .appendForward)
        #expect(manager.clientCertificateHeader.addsSubject)
        #expect(manager.clientCertificateHeader.addsURI)
        #expect(!manager.clientCertificateHeader.addsDNS)
        #expect(manager.trustedHops == 2)
        #expect(manager.normalizesPath)
        #expect(try self.manager { _ in }?.normalizesPath == false)
        #expect(try self.manager { _ in }?.codec == .automatic)
    }

    @Test("HTTP/3 is refused by name")
    func refusesHTTP3() throws {
        let listener = try self.listener { $0.codecType = .http3 }
        var builder = StateBuilder()
        #expect(builder.setListeners([try Messages.any(listener)], version: "1") != [])
    }

    private func message(_ options: Options?) throws -> Envoy_Config_Cluster_V3_Cluster {
        var message = Messages.edsCluster("a")
        if let options {
            let key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
            message.typedExtensionProtocolOptions[key] = try Messages.any(options)
        }
        return message
    }

    private func cluster(_ options: Options?) throws -> Cluster? {
        var builder = StateBuilder()
        #expect(builder.setClusters([try Messages.any(try self.message(options))], version: "1") == [])
        return builder.makeState().clusters.compactMap { $0 }.first { $0.name == "a" }
    }

    private func listener(_ change: (inout Manager) -> Void) throws -> Envoy_Config_Listener_V3_Listener {
        var filter = try Messages.httpFilter(routes: "80")
        var manager = try Manager(unpackingAny: filter.typedConfig)
        // Routes of its own: a listener whose routes have not come is not there yet.
        manager.routeConfig.name = "inline"
        change(&manager)
        filter.typedConfig = try Messages.any(manager)
        return Messages.listener("l", port: 80, filter)
    }

    private func manager(_ change: (inout Manager) -> Void) throws -> HTTPConnectionManager? {
        var builder = StateBuilder()
        #expect(builder.setListeners([try Messages.any(try self.listener(change))], version: "1") == [])
        guard case .http(let manager) = builder.makeState().listeners.first?.chains.first?.terminal else { return nil }
        return manager
    }
}
