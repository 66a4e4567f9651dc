import Foundation
import KubernetesAPI
import MeshConfig
import Testing

@Suite struct RemoteClusterBookTests {
    private func secret(_ name: String, _ clusters: [String: String]) -> KubernetesObject {
        var object = KubernetesObject(.secrets, namespace: "istio-system", name: name)
        object.json["data"] = JSONValue(clusters.mapValues { Data($0.utf8).base64EncodedString() })
        return object
    }

    private func names(_ steps: [RemoteClusterBook.Step]) -> [String] {
        steps.map { step in
            switch step {
            case .connect(let entry): "connect \(entry.name) \(entry.kubeconfig)"
            case .remove(let name): "remove \(name)"
            }
        }
    }

    @Test("Each key of a Secret is a cluster; a new kubeconfig connects anew, a removed Secret forgets")
    func life() {
        var book = RemoteClusterBook(ownName: "main")

        #expect(self.names(book.apply(.replacedAll([self.secret("a", ["west": "1"])]))) == ["connect west 1"])
        #expect(self.names(book.apply(.modified(self.secret("a", ["west": "1"])))) == [])
        #expect(self.names(book.apply(.modified(self.secret("a", ["west": "2"])))) == ["connect west 2"])
        #expect(self.names(book.apply(.added(self.secret("b", ["north": "3"])))) == ["connect north 3"])
        #expect(self.names(book.apply(.deleted(self.secret("a", [:])))) == ["remove west"])
        #expect(book.entries.keys.sorted() == ["north"])
    }

    @Test("The cluster itself, and one that another Secret names already, are not connected, and that is told")
    func refused() {
        var book = RemoteClusterBook(ownName: "main")

        let steps = book.apply(
            .replacedAll([self.secret("a", ["west": "1"]), self.secret("b", ["west": "2", "main": "3"])])
        )

        #expect(self.names(steps) == ["connect west 1"])
        #expect(book.complaints.count == 2)
        // The other takes over when the first is gone.
        #expect(self.names(book.apply(.deleted(self.secret("a", [:])))) == ["connect west 2"])
    }
}
