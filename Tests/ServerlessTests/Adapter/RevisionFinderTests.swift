import MeshModel
import RequestReports
import Serverless
import Testing

@Suite struct RevisionFinderTests {
    private func id(_ name: String, _ namespace: String = "default") -> ObjectID {
        ObjectID(namespace: namespace, name: name)
    }

    private var finder: RevisionFinder {
        var finder = RevisionFinder()
        finder.revisions = [self.id("hello-00001"), self.id("hello-00002"), self.id("hello-00001", "shop")]
        finder.latest = [self.id("hello"): "hello-00002"]
        return finder
    }

    @Test(
        "A revision is found by its name, its Services' names, its host, and the service that it belongs to",
        arguments: [
            ("hello-00001", "hello-00001"), ("hello-00001-priv", "hello-00001"), ("hello-00001-private", "hello-00001"),
            ("hello-00001-priv.default.svc.cluster.local", "hello-00001"), ("hello", "hello-00002"),
            ("hello.default.svc.cluster.local:80", "hello-00002"), ("HELLO.default", "hello-00002"),
        ]
    )
    func finds(_ service: String, _ revision: String) {
        #expect(self.finder.revision(namespace: "default", service: service) == self.id(revision))
    }

    @Test("The namespace in a host counts more than the one beside it")
    func namespace() {
        let found = self.finder.revision(namespace: "default", service: "hello-00001.shop.svc.cluster.local")
        #expect(found == self.id("hello-00001", "shop"))
    }

    @Test("A property names the revision outright")
    func property() {
        #expect(
            self.finder.revision(namespace: "default", service: "hello", property: "hello-00001")
                == self.id("hello-00001")
        )
    }

    @Test("What is not known is not made up", arguments: ["other", "", "www.example.com", ".default"])
    func unknown(_ service: String) {
        #expect(self.finder.revision(namespace: "default", service: service) == nil)
    }

    @Test("Where nothing can be known the name counts, without what Services have behind it")
    func withoutCluster() {
        #expect(
            RevisionFinder().revision(namespace: "", service: "hello-abcde-priv.default.svc.cluster.local")
                == self.id("hello-abcde")
        )
        #expect(RevisionFinder().revision(namespace: "", service: "hello") == nil)
    }
}

@Suite struct PokeLimiterTests {
    private let revision = ObjectID(namespace: "default", name: "hello")

    @Test("The first request is told at once, those of the next second together after it")
    func limits() {
        var limiter = PokeLimiter(name: "adapter")

        #expect(limiter.requested(self.revision, at: .zero)?.stat.averageConcurrentRequests == 1)
        for _ in 1...500 { #expect(limiter.requested(self.revision, at: .milliseconds(500)) == nil) }
        #expect(limiter.due(at: .milliseconds(900)).count == 0)
        let due = limiter.due(at: .seconds(1))
        #expect(due.map(\.stat.requestCount) == [500])
        #expect(due.map(\.stat.podName) == ["adapter"])
    }

    @Test("As long as answers are held the autoscaler is told of them, and of how many there are")
    func held() {
        var limiter = PokeLimiter(name: "adapter")
        _ = limiter.requested(self.revision, at: .zero)

        for second in 1...3 {
            let due = limiter.due(at: .seconds(second), held: [self.revision: 200])
            #expect(due.map(\.stat.averageConcurrentRequests) == [200])
        }
        #expect(limiter.due(at: .seconds(4)).count == 0)
    }

    @Test("A request after an interval takes along what was held back")
    func takesAlong() {
        var limiter = PokeLimiter(name: "adapter")
        _ = limiter.requested(self.revision, at: .zero)
        _ = limiter.requested(self.revision, at: .milliseconds(10))

        #expect(limiter.requested(self.revision, at: .seconds(1))?.stat.requestCount == 2)
    }

    @Test("Revisions do not hold each other back, and those without requests are forgotten")
    func independent() {
        var limiter = PokeLimiter(name: "adapter")
        _ = limiter.requested(self.revision, at: .zero)

        #expect(limiter.requested(ObjectID(namespace: "default", name: "other"), at: .zero) != nil)
        #expect(limiter.due(at: .seconds(5)).count == 0)
        #expect(limiter.requested(self.revision, at: .seconds(5))?.stat.requestCount == 1)
    }
}
