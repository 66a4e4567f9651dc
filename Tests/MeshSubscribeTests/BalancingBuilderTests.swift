import MeshModel
import MeshSubscribe
import SwiftProtobuf
import Testing
import TrafficEngine
import XDSAPI

@Suite struct BalancingBuilderTests {
    private typealias Message = Envoy_Config_Cluster_V3_Cluster

    @Test("A ring and Maglev's table keep their sizes; what is not said is Envoy's default")
    func hashing() throws {
        #expect(try self.cluster { $0.lbPolicy = .ringHash }?.balancing == .ring(sizeMin: 1024, sizeMax: 8_388_608))
        #expect(
            try self.cluster {
                $0.lbPolicy = .ringHash
                $0.ringHashLbConfig.minimumRingSize = Google_Protobuf_UInt64Value(7)
                $0.ringHashLbConfig.maximumRingSize = Google_Protobuf_UInt64Value(9)
            }?.balancing == .ring(sizeMin: 7, sizeMax: 9)
        )
        #expect(try self.cluster { $0.lbPolicy = .maglev }?.balancing == .maglev(tableSize: 65537))
    }

    @Test("Sizes that cannot be are refused", arguments: [0, 4, 65536, 5_000_023, UInt64.max])
    func tableSizes(_ size: UInt64) throws {
        #expect(
            try self.refused {
                $0.lbPolicy = .maglev
                $0.maglevLbConfig.tableSize = Google_Protobuf_UInt64Value(size)
            }
        )
    }

    @Test("A ring whose smallest size is above its largest, or that fills the memory, is refused")
    func ringSizes() throws {
        for (least, most) in [(2, 1), (0, 1), (1, 8 * 1024 * 1024 + 1)] as [(UInt64, UInt64)] {
            #expect(
                try self.refused {
                    $0.lbPolicy = .ringHash
                    $0.ringHashLbConfig.minimumRingSize = Google_Protobuf_UInt64Value(least)
                    $0.ringHashLbConfig.maximumRingSize = Google_Protobuf_UInt64Value(most)
                }
            )
        }
    }

    @Test("Outlier detection counts what it enforces")
    func outliers() throws {
        let plain = try #require(try self.cluster { $0.outlierDetection = .init() }?.outlierDetection)
        #expect(plain.consecutive5xx == 5)
        #expect(plain.consecutiveGatewayFailures == 0)
        #expect(plain.baseEjectionTime == .seconds(30))

        let said = try self.cluster {
            $0.outlierDetection.consecutive5Xx = Google_Protobuf_UInt32Value(3)
            $0.outlierDetection.enforcingConsecutive5Xx = Google_Protobuf_UInt32Value(0)
            $0.outlierDetection.consecutiveGatewayFailure = Google_Protobuf_UInt32Value(7)
            $0.outlierDetection.enforcingConsecutiveGatewayFailure = Google_Protobuf_UInt32Value(100)
            $0.outlierDetection.baseEjectionTime = Google_Protobuf_Duration(seconds: 400)
        }
        #expect(said?.outlierDetection?.consecutive5xx == 0)
        #expect(said?.outlierDetection?.consecutiveGatewayFailures == 7)
        #expect(said?.outlierDetection?.ejectionTimeMax == .seconds(400))
        #expect(try self.cluster { _ in }?.outlierDetection == nil)
        #expect(
            try self.refused { $0.outlierDetection.maxEjectionPercent = Google_Protobuf_UInt32Value(101) }
        )
    }

    @Test("The panic threshold is Envoy's unless it is said to be 0")
    func panic() throws {
        #expect(try self.cluster { _ in }?.panicThreshold == 50)
        #expect(try self.cluster { $0.commonLbConfig.healthyPanicThreshold.value = 0 }?.panicThreshold == 0)
        #expect(try self.cluster { $0.commonLbConfig.localityWeightedLbConfig = .init() }?.weighsLocalities == true)
    }

    @Test("A route says what is hashed, and nothing that requests do not have")
    func keys() throws {
        var routes = Messages.routes("80", cluster: "a")
        routes.virtualHosts[0].routes[0].route.hashPolicy = [
            .with { $0.header.headerName = "X-User" },
            .with {
                $0.cookie.name = "c"
                $0.cookie.ttl = Google_Protobuf_Duration(seconds: 0)
                $0.terminal = true
            },
        ]
        var builder = StateBuilder()
        #expect(builder.setRoutes([try Messages.any(routes)], version: "1") == [])

        routes.virtualHosts[0].routes[0].route.hashPolicy = [.with { $0.filterState.key = "x" }]
        #expect(builder.setRoutes([try Messages.any(routes)], version: "2") != [])
    }

    @Test("What may have to be woken is told by the cluster's metadata; other metadata means nothing")
    func activation() throws {
        func metadata(_ concurrency: Double, revision: String = "hello-00001") -> Google_Protobuf_Struct {
            .with {
                $0.fields["namespace"] = .with { $0.stringValue = "default" }
                $0.fields["revision"] = .with { $0.stringValue = revision }
                $0.fields["concurrency"] = .with { $0.numberValue = concurrency }
            }
        }
        let name = "dev.lateen.activation"
        let said = try self.cluster { $0.metadata.filterMetadata[name] = metadata(5) }
        #expect(said?.activation?.revision.description == "default/hello-00001")
        #expect(said?.activation?.concurrencyMax == 5)
        #expect(said?.activation?.asksPods == false)
        #expect(said?.activation?.side == .callers)
        #expect(said?.isReporter == false)
        #expect(try self.cluster { $0.metadata.filterMetadata["istio"] = metadata(5) }?.activation == nil)
        let own = try self.cluster { $0.metadata.filterMetadata["dev.lateen.pod"] = metadata(5) }
        #expect(own?.activation?.side == .pod)
        #expect(own?.activation?.concurrencyMax == 5)
        #expect(try self.refused { $0.metadata.filterMetadata["dev.lateen.pod"] = metadata(0.5) })
        #expect(try self.cluster { $0.metadata.filterMetadata["dev.lateen.reporter"] = .init() }?.isReporter == true)
        var asking = metadata(5)
        asking.fields["probe"] = .with { $0.stringValue = "connect" }
        #expect(try self.cluster { $0.metadata.filterMetadata[name] = asking }?.activation?.asksPods == true)
        asking.fields["probe"] = .with { $0.stringValue = "http" }
        #expect(try self.refused { $0.metadata.filterMetadata[name] = asking })
        for wrong in [metadata(-1), metadata(0.5), metadata(.infinity), metadata(1, revision: "")] {
            #expect(try self.refused { $0.metadata.filterMetadata[name] = wrong })
        }
    }

    private func cluster(_ change: (inout Message) -> Void) throws -> Cluster? {
        var message = Messages.edsCluster("a")
        change(&message)
        var builder = StateBuilder()
        #expect(builder.setClusters([try Messages.any(message)], version: "1") == [])
        return builder.makeState().clusters.compactMap { $0 }.first { $0.name == "a" }
    }

    private func refused(_ change: (inout Message) -> Void) throws -> Bool {
        var message = Messages.edsCluster("a")
        change(&message)
        var builder = StateBuilder()
        return builder.setClusters([try Messages.any(message)], version: "1") != []
    }
}
