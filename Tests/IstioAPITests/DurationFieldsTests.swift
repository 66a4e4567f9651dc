import Foundation
import IstioAPI
import SwiftProtobuf
import Testing

@Suite struct DurationFieldsTests {
    @Test(
        "Go's notation becomes seconds",
        arguments: [
            ("5m", "300s"), ("1h30m", "5400s"), ("300ms", "0.3s"), ("1.5s", "1.5s"), ("0s", "0s"), ("-2s", "-2s"),
            ("1ns", "0.000000001s"), ("10us", "0.00001s"),
        ]
    )
    func seconds(_ text: String, _ expected: String) { #expect(DurationFields.seconds(of: text) == expected) }

    @Test("What is no duration is left alone", arguments: ["", "5", "m", "5 m", "5x", "-", "1..2s", "5m3"])
    func refuses(_ text: String) { #expect(DurationFields.seconds(of: text) == nil) }

    @Test("Durations deep inside an object are read in Go's notation")
    func readsNested() throws {
        let json = """
            {"host": "reviews",
             "trafficPolicy": {
               "outlier_detection": {"consecutive5xxErrors": 7, "interval": "5m", "baseEjectionTime": "15m"},
               "portLevelSettings": [{"port": {"number": 80}, "connectionPool": {"tcp": {"connectTimeout": "30ms"}}}]},
             "subsets": [{"name": "v1", "labels": {"interval": "5m"}}]}
            """

        let rule = try IstioJSON.decode(Istio_Networking_V1alpha3_DestinationRule.self, from: Data(json.utf8))

        #expect(rule.trafficPolicy.outlierDetection.consecutive5XxErrors.value == 7)
        #expect(rule.trafficPolicy.outlierDetection.interval.seconds == 300)
        #expect(rule.trafficPolicy.outlierDetection.baseEjectionTime.seconds == 900)
        #expect(rule.trafficPolicy.portLevelSettings.first?.connectionPool.tcp.connectTimeout.nanos == 30_000_000)
        #expect(rule.subsets.first?.labels == ["interval": "5m"])
    }

    @Test("A duration that is none is refused by the decoder")
    func refusesNested() {
        let json = Data(#"{"http": [{"timeout": "soon"}]}"#.utf8)

        #expect(throws: (any Error).self) {
            _ = try IstioJSON.decode(Istio_Networking_V1alpha3_VirtualService.self, from: json)
        }
    }
}
