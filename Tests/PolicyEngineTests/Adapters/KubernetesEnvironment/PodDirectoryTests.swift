import KubernetesAPI
import MeshModel
import PolicyEngine
import Testing

/// A pod as the API gives it.
func pod(
    _ name: String,
    namespace: String = "shop",
    address: String? = nil,
    _ more: (inout KubernetesObject) -> Void = { _ in }
) -> KubernetesObject {
    var pod = KubernetesObject(.pods, namespace: namespace, name: name)
    pod.spec = ["containers": [["name": "app", "ports": [["containerPort": 8080]]]]]
    if let address { pod.status = ["podIP": .string(address), "phase": "Running"] }
    more(&pod)
    return pod
}

@Suite struct PodDirectoryTests {
    private func directory(_ pods: KubernetesObject...) -> PodDirectory {
        var directory = PodDirectory()
        directory.apply(.replacedAll(pods))
        return directory
    }

    private func name(_ directory: PodDirectory, uid: String = "", address: String? = nil) -> String? {
        directory.entry(uid: uid, address: address.flatMap { IPAddress($0) })?.key.name
    }

    @Test("A pod is found by its name, and by its address if no name of a pod is given")
    func finds() {
        let directory = self.directory(pod("web.v1", address: "10.0.0.1"), pod("db", address: "10.0.0.2"))

        #expect(self.name(directory, uid: "kubernetes://web.v1.shop", address: "10.0.0.2") == "web.v1")
        #expect(self.name(directory, uid: "unknown", address: "10.0.0.2") == "db")
        #expect(self.name(directory, uid: "kubernetes://gone.shop", address: "10.0.0.2") == "db")
        #expect(self.name(directory, uid: "kubernetes://web.v1.bank") == nil)
        #expect(self.name(directory, uid: "kubernetes://", address: "0.0.0.0") == nil)
    }

    @Test("An address goes to the pod that has it now")
    func addresses() {
        var directory = self.directory(pod("old", address: "10.0.0.1"))

        directory.apply(.added(pod("new", address: "10.0.0.1")))
        directory.apply(.deleted(pod("old", address: "10.0.0.1")))
        #expect(self.name(directory, address: "10.0.0.1") == "new")

        directory.apply(.modified(pod("new", address: "10.0.0.9")))
        #expect(self.name(directory, address: "10.0.0.1") == nil)
        #expect(self.name(directory, address: "10.0.0.9") == "new")

        directory.apply(.replacedAll([]))
        #expect(self.name(directory, address: "10.0.0.9") == nil)
    }

    @Test("A pod that is over, or has its host's address, is found by name only")
    func unaddressed() {
        let directory = self.directory(
            pod("over", address: "10.0.0.1") { $0.status["phase"] = "Succeeded" },
            pod("host", address: "10.0.0.2") { $0.spec["hostNetwork"] = true }
        )

        #expect(self.name(directory, address: "10.0.0.1") == nil)
        #expect(self.name(directory, address: "10.0.0.2") == nil)
        #expect(self.name(directory, uid: "kubernetes://host.shop") == "host")
    }

    @Test("A workload is what a person made: the deployment, not its replica set")
    func workloads() {
        func workload(_ pod: KubernetesObject) -> String { PodDirectory.Entry(pod).workload.owner }
        func owned(_ kind: String, _ name: String, _ version: String) -> KubernetesObject {
            pod("p") {
                $0.labels = ["pod-template-hash": "5d9"]
                $0.ownerReferences = [OwnerReference(apiVersion: version, kind: kind, name: name, uid: "1")]
            }
        }

        #expect(
            [
                owned("ReplicaSet", "web-5d9", "apps/v1"), owned("ReplicaSet", "own", "apps/v1"),
                owned("Job", "j-5d9", "batch/v1"), pod("alone"),
            ].map(workload) == [
                "kubernetes://apis/apps/v1/namespaces/shop/deployments/web",
                "kubernetes://apis/apps/v1/namespaces/shop/replicasets/own",
                "kubernetes://apis/batch/v1/namespaces/shop/jobs/j-5d9",
                "kubernetes://apis/v1/namespaces/shop/pods/alone",
            ]
        )
    }
}
