import KubernetesAPI
import Testing
import WorkloadRegistration

@Suite struct ControlPlanesTests {
    private static func pod(_ name: String, phase: String? = "Running", onHost: Bool = false) -> KubernetesObject {
        var pod = KubernetesObject(.pods, namespace: "istio-system", name: name)
        if onHost { pod.spec = ["hostNetwork": true] }
        if let phase { pod.status = ["phase": .string(phase)] }
        return pod
    }

    @Test("Nothing is known until all have been listed")
    func unknown() {
        var planes = ControlPlanes()
        #expect(planes.names == nil)
        planes.changed(.added(Self.pod("early")))
        #expect(planes.names == nil)
        planes.changed(.replacedAll([]))
        #expect(planes.names == [])
    }

    @Test("Pods on their node's network count, and those that have not begun; those that have ended do not")
    func living() {
        var planes = ControlPlanes()
        planes.changed(
            .replacedAll([
                Self.pod("a"), Self.pod("b", onHost: true), Self.pod("c", phase: "Failed"),
                Self.pod("d", phase: "Succeeded"), Self.pod("e", phase: nil),
            ])
        )
        #expect(planes.names == ["a", "b", "e"])

        planes.changed(.modified(Self.pod("a", phase: "Failed")))
        planes.changed(.deleted(Self.pod("b")))
        planes.changed(.added(Self.pod("f")))

        #expect(planes.names == ["e", "f"])
    }
}
