import Testing
import TrafficEngine

@Suite struct HostIndexTests {
    private func hosts(_ domains: [String]...) -> HostIndex {
        HostIndex(domains.enumerated().map { VirtualHost(name: "\($0)", domains: $1, routes: []) })
    }

    private func find(_ index: HostIndex, _ authority: String) -> Int? {
        Array(authority.utf8).withUnsafeBytes { index.find($0) }
    }

    @Test(
        "Case, port and one trailing dot make no difference",
        arguments: ["reviews", "REVIEWS", "reviews:9080", "Reviews.", "reviews.:80", "reviews:"]
    )
    func normalizes(_ authority: String) {
        #expect(self.find(self.hosts(["other"], ["reviews"]), authority) == 1)
    }

    @Test("An exact name wins over a wildcard, a longer wildcard over a shorter one, and `*` comes last")
    func mostSpecificWins() {
        let index = self.hosts(["*"], ["*.com"], ["*.example.com"], ["www.example.com"], ["www.*"])

        #expect(self.find(index, "www.example.com") == 3)
        #expect(self.find(index, "api.example.com") == 2)
        #expect(self.find(index, "deep.api.example.com") == 2)
        #expect(self.find(index, "example.com") == 1)
        #expect(self.find(index, "www.example.org") == 4)
        #expect(self.find(index, "elsewhere.net") == 0)
    }

    @Test("A wildcard does not stand for the name below which it holds")
    func wildcardNeedsLabel() {
        let index = self.hosts(["*.example.com"])

        #expect(self.find(index, "example.com") == nil)
        #expect(self.find(index, ".example.com") == nil)
        #expect(self.find(index, "badexample.com") == nil)
    }

    @Test("Of two virtual hosts with one domain the first keeps it, whatever the case or port")
    func firstKeeps() {
        #expect(self.find(self.hosts(["a.b"], ["A.B:80"]), "a.b") == 0)
    }

    @Test("IPv6 literals are found with and without a port")
    func addresses() {
        let index = self.hosts(["[::1]"], ["::2"])

        #expect(self.find(index, "[::1]:80") == 0)
        #expect(self.find(index, "[::1]") == 0)
        #expect(self.find(index, "::2") == 1)
    }

    @Test("User information and an empty authority belong to nobody", arguments: ["u@a.b", "a.b@a.b", "@", ""])
    func refuses(_ authority: String) {
        #expect(self.find(self.hosts(["a.b"]), authority) == nil)
    }

    @Test("Thousands of names are told apart")
    func manyNames() {
        let names = (0..<5000).map { "service-\($0).namespace-\($0 % 7).svc.cluster.local" }
        let index = HostIndex(names.map { VirtualHost(name: $0, domains: [$0], routes: []) })

        for (number, name) in names.enumerated() { #expect(self.find(index, name + ":80") == number) }
        #expect(self.find(index, "service-5000.namespace-2.svc.cluster.local") == nil)
    }
}
