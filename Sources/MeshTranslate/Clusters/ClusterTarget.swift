import MeshModel
import SwiftProtobuf

/// One cluster that traffic can be sent to: a port of a service, perhaps a subset of it, and what holds for it.
struct ClusterTarget {
    var service: Service
    var port: ServicePort
    var subset: DestinationPolicy.Subset?
    var policy: TrafficPolicy

    var name: String {
        ResourceName.outboundCluster(self.service.host, port: self.port.port, subset: self.subset?.name ?? "")
    }

    /// What is spoken to the endpoints.
    var content: MeshALPN.Content {
        let content = self.port.applicationProtocol.content
        return content == .http1 && self.policy.upgradesToHTTP2 == true ? .http2 : content
    }

    /// How a proxy finds the addresses behind it.
    var discovery: Resolution {
        // The client of a headless service has picked the endpoint itself when it looked up the name.
        if self.service.isHeadless || self.policy.loadBalancing == .passthrough { return .originalDestination }
        return self.service.resolution
    }

    /// Whether endpoints that take mutual TLS get it without being asked for; outside the mesh nobody has an identity
    /// of ours (facts #66).
    func mayUseMesh(_ settings: MeshSettings) -> Bool {
        settings.automaticMutualTLS && !self.service.isExternal
    }

    /// Which localities a proxy prefers.
    func ranking(_ client: OutboundKey) -> LocalityRanking {
        LocalityRanking(
            client: client.locality,
            labels: client.labels,
            policy: self.policy.locality,
            canFailOver: self.policy.outlierDetection != nil
        )
    }

    /// What an endpoint that takes mutual TLS is marked with, and the socket for it asks for.
    static let meshMark = Google_Protobuf_Struct.with {
        $0.fields["tlsMode"] = .with { $0.stringValue = "istio" }
    }
}
