import Foundation
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct BootstrapJSONTests {
    /// An Envoy bootstrap with an HTTP and a TCP listener, as written for stock Envoy.
    static let bootstrap = """
        {
          "static_resources": {
            "listeners": [
              {
                "name": "http",
                "address": { "socket_address": { "address": "127.0.0.1", "port_value": 19010 } },
                "filter_chains": [ { "filters": [ {
                  "name": "envoy.filters.network.http_connection_manager",
                  "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "http",
                    "codec_type": "AUTO",
                    "route_config": { "virtual_hosts": [ {
                      "name": "all", "domains": ["*"],
                      "routes": [ { "match": { "prefix": "/" }, "route": { "cluster": "backend" } } ]
                    } ] },
                    "http_filters": [ {
                      "name": "envoy.filters.http.router",
                      "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" }
                    } ]
                  }
                } ] } ]
              },
              {
                "name": "tcp",
                "address": { "socket_address": { "address": "127.0.0.1", "port_value": 19011 } },
                "filter_chains": [ { "filters": [ {
                  "name": "envoy.filters.network.tcp_proxy",
                  "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                    "stat_prefix": "tcp", "cluster": "backend"
                  }
                } ] } ]
              }
            ],
            "clusters": [ {
              "name": "backend", "type": "STATIC", "connect_timeout": "1s",
              "circuit_breakers": { "thresholds": [ { "max_connections": 100000 } ] },
              "load_assignment": { "cluster_name": "backend", "endpoints": [ { "lb_endpoints": [ {
                "endpoint": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 19000 } } }
              } ] } ] }
            } ]
          },
          "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 19009 } } }
        }
        """

    @Test("An Envoy bootstrap is read, typed configuration included")
    func reads() throws {
        XDSTypes.register()

        let bootstrap = try Envoy_Config_Bootstrap_V3_Bootstrap(jsonString: Self.bootstrap)

        let http = try #require(bootstrap.staticResources.listeners.first?.filterChains.first?.filters.first)
        #expect(http.typedConfig.typeURL == TypeURL.httpConnectionManager)
        let manager = try Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager(
            unpackingAny: http.typedConfig
        )
        #expect(manager.routeConfig.virtualHosts.first?.routes.first?.route.cluster == "backend")
        #expect(manager.httpFilters.first?.typedConfig.typeURL == TypeURL.router)
        let cluster = try #require(bootstrap.staticResources.clusters.first)
        #expect(cluster.connectTimeout == .init(seconds: 1))
        #expect(cluster.circuitBreakers.thresholds.first?.maxConnections == 100_000)
        #expect(bootstrap.admin.address.socketAddress.portValue == 19009)
    }

    @Test("A bootstrap survives JSON and binary round trips")
    func roundTrips() throws {
        XDSTypes.register()
        let bootstrap = try Envoy_Config_Bootstrap_V3_Bootstrap(jsonString: Self.bootstrap)

        let throughJSON = try Envoy_Config_Bootstrap_V3_Bootstrap(jsonString: bootstrap.jsonString())
        let throughBytes = try Envoy_Config_Bootstrap_V3_Bootstrap(serializedBytes: bootstrap.serializedData())

        // Bytes, because an `Any` that was read from JSON keeps the JSON as it was written.
        let expected = try bootstrap.serializedBytes() as [UInt8]
        #expect(try throughJSON.serializedBytes() == expected)
        #expect(try throughBytes.serializedBytes() == expected)
    }

    @Test("Every type that may stand in an Any can be written as JSON")
    func registersAll() throws {
        XDSTypes.register()

        for type in XDSTypes.all {
            let any = Google_Protobuf_Any.with {
                $0.typeURL = TypeURL.prefix + type.protoMessageName
            }
            #expect(try any.jsonString().contains(type.protoMessageName))
        }
    }

    @Test("A field that is not supported is refused by name")
    func refusesUnknown() {
        #expect(throws: (any Error).self) {
            _ = try Envoy_Config_Bootstrap_V3_Bootstrap(jsonString: #"{"hds_config": {}}"#)
        }
    }
}
