import KubernetesAPI
import Testing

@Suite struct KubernetesObjectTests {
    @Test("Metadata is read from and written to the document")
    func metadata() {
        var object = KubernetesObject(.serviceEntries, namespace: "default", name: "mysql-external")
        object.labels = ["a": "b"]
        object.generation = 3
        object.ownerReferences = [OwnerReference(to: KubernetesObject(.pods, name: "p"))]

        #expect(object.description == "ServiceEntry default/mysql-external")
        #expect(object.group == "networking.istio.io")
        #expect(object.json[path: "metadata", "labels", "a"] == "b")
        #expect(object.generation == 3)
        #expect(object.controller?.name == "p")
        object.labels = [:]
        #expect(object.json[path: "metadata", "labels"] == nil)
    }

    @Test(
        "Moments are read and written",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2018-07-01T10:00:00Z", 1_530_439_200), ("2000-02-29T23:59:59Z", 951_868_799),
            ("1969-12-31T23:59:59Z", -1), ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] as [(String, Int64)]
    )
    func times(_ text: String, _ seconds: Int64) {
        #expect(KubernetesTime.seconds(text) == seconds)
        #expect(KubernetesTime.text(seconds: seconds) == text)
    }

    @Test("Fractions are dropped and zone offsets are taken off")
    func timeForms() {
        #expect(KubernetesTime.seconds("1970-01-01T00:00:01.999999Z") == 1)
        #expect(KubernetesTime.seconds("1970-01-01T02:00:00+02:00") == 0)
        #expect(KubernetesTime.seconds("1969-12-31T22:30:00-01:30") == 0)
    }

    @Test(
        "What is no moment is refused",
        arguments: ["", "2018-07-01", "2018-13-01T00:00:00Z", "2018-07-01T24:00:00Z", "2018-07-01T10:00:00", "x"]
    )
    func badTimes(_ text: String) { #expect(KubernetesTime.seconds(text) == nil) }

    @Test("Types know their paths")
    func paths() {
        #expect(ResourceType.pods.path() == "/api/v1/pods")
        #expect(
            ResourceType.pods.path(namespace: "default", name: "sleep", subresource: "log")
                == "/api/v1/namespaces/default/pods/sleep/log"
        )
        #expect(
            ResourceType.serviceEntries.path(namespace: "default")
                == "/apis/networking.istio.io/v1/namespaces/default/serviceentries"
        )
        #expect(ResourceType.namespaces.path(namespace: "ignored", name: "x") == "/api/v1/namespaces/x")
        #expect(ResourceType.pods.path(namespace: "a/b") == "/api/v1/namespaces/a%2Fb/pods")
    }

    @Test("A type is found by what an object says, in each version of its group")
    func knownTypes() {
        let found = ResourceType.known(apiVersion: "networking.istio.io/v1alpha3", kind: "ServiceEntry")
        #expect(found?.apiVersion == "networking.istio.io/v1alpha3")
        #expect(ResourceType.known(apiVersion: "v1", kind: "Pod") == .pods)
        #expect(ResourceType.known(apiVersion: "apps/v1", kind: "Pod") == nil)
    }
}
