import MeshModel
import Testing

@Suite struct ServiceTests {
    @Test("An object is seen by everyone, or by the namespaces named")
    func visibility() {
        #expect(Visibility.everyone.includes("any"))
        #expect(Visibility.namespaces(["a", "b"]).includes("b"))
        #expect(!Visibility.namespaces(["a"]).includes("b") && !Visibility.namespaces([]).includes(""))
    }

    @Test("A service is in the namespace of its object, and Kubernetes' if that is a Service")
    func source() throws {
        let host = try #require(HostName("db.test"))
        let id = ObjectID(namespace: "default", name: "db")
        let entry = Service(host: host, ports: [], source: ObjectReference(kind: "ServiceEntry", id: id))
        let service = Service(host: host, ports: [], source: ObjectReference(kind: "Service", id: id))

        #expect(entry.namespace == "default" && !entry.isKubernetes && service.isKubernetes)
        #expect(ServiceKey(entry) != ServiceKey(service))
        #expect("\(entry.source)" == "ServiceEntry default/db")
    }

    @Test("Objects are ordered by namespace, then name")
    func order() {
        let ids = [("b", "a"), ("a", "b"), ("a", "a")].map { ObjectID(namespace: $0.0, name: $0.1) }

        #expect(ids.sorted().map(\.description) == ["a/a", "a/b", "b/a"])
    }

    @Test("A diagnosis names the object, the field and what is wrong")
    func diagnosis() {
        let object = ObjectReference(kind: "VirtualService", id: ObjectID(namespace: "default", name: "reviews"))

        let whole = Diagnosis(severity: .warning, object: object, message: "no host")
        let field = Diagnosis(severity: .error, object: object, field: "spec.hosts[0]", message: "empty")

        #expect(whole.description == "warning: VirtualService default/reviews: no host")
        #expect(field.description == "error: VirtualService default/reviews spec.hosts[0]: empty")
    }
}
