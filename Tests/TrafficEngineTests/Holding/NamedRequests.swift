import MeshModel
import Testing
import TrafficEngine

/// Requests of the tests have names, pods have numbers, and two ways lead to them.
extension HeldRequests<String> {
    static var cluster: ClusterID { ClusterID(index: 0) }
    static var subset: ClusterID { ClusterID(index: 1) }

    static func pod(_ number: UInt32) -> RevisionPod { RevisionPod(ip: .v4(0x0A00_0000 + number)) }

    static func shares(_ numbers: UInt32...) -> [PodShare] { numbers.map { PodShare(pod: self.pod($0)) } }

    mutating func arrive(_ name: String, by cluster: ClusterID = Self.cluster) -> OnArrival {
        self.arrived(by: cluster, at: .zero) { _ in name }.action
    }

    /// A place; what waits or is refused is an issue.
    mutating func place(_ name: String, by cluster: ClusterID = Self.cluster) -> Place? {
        guard case .go(.some(let place)) = self.arrive(name, by: cluster) else {
            Issue.record("\(name) has no place")
            return nil
        }
        return place
    }

    mutating func change(pods numbers: UInt32..., concurrency: Int) -> [Release] {
        self.changed([Self.cluster: numbers.map { PodShare(pod: Self.pod($0)) }], concurrencyMax: concurrency)
    }
}
