import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

/// Our cluster and another, each with its own objects.
struct TwoClusters {
    var local: Mesh
    var west: Mesh

    init(local: String = "", west: String = "") throws {
        self.local = try Mesh(Self.network("main") + local)
        self.west = try Mesh(Self.network("west") + west)
    }

    var remotes: [RemoteCluster] { [RemoteCluster(name: "west", objects: self.west.objects)] }

    var snapshot: MeshSnapshot { SnapshotBuilder.build(self.local.objects, remotes: self.remotes, revision: 1) }

    static func network(_ name: String) -> String {
        """
        apiVersion: v1
        kind: Namespace
        metadata: {name: istio-system, labels: {topology.istio.io/network: \(name)}}
        ---
        apiVersion: v1
        kind: Node
        metadata:
          name: node
          labels: {topology.kubernetes.io/region: \(name), topology.kubernetes.io/zone: \(name)-a}
        ---

        """
    }

    /// A Service with one pod behind it that takes mutual TLS.
    static func service(
        _ name: String,
        address: String,
        pod: String,
        port: Int = 80,
        spec: String = "",
        namespace: String = "default"
    ) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: \(namespace), creationTimestamp: "2026-01-01T00:00:00Z"}
        spec: {clusterIP: \(address), ports: [{name: http, port: \(port)}]\(spec)}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: \(name)-1, namespace: \(namespace), labels: {kubernetes.io/service-name: \(name)}}
        addressType: IPv4
        ports: [{name: http, port: 8080}]
        endpoints: [{addresses: [\(pod)], conditions: {ready: true}, targetRef: {kind: Pod, name: \(name)-pod}}]
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name)-pod, namespace: \(namespace), labels: {security.istio.io/tlsMode: istio}}
        spec: {serviceAccountName: \(name), nodeName: node}
        status: {phase: Running, podIP: \(pod), conditions: [{type: Ready, status: "True"}]}
        ---

        """
    }

    static func gateway(_ network: String, address: String, port: Int = 15443) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata:
          name: istio-eastwestgateway
          namespace: istio-system
          labels: {topology.istio.io/network: \(network)}
        spec: {clusterIP: 10.218.0.9, type: LoadBalancer, ports: [{name: tls, port: \(port)}]}
        status: {loadBalancer: {ingress: [{ip: \(address)}]}}
        ---

        """
    }
}
