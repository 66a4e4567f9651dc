import LocalPlatform
import Testing

@Suite struct OutsideHostsTests {
    private func hosts(_ text: String) throws -> [OutsideHost] {
        try OutsideHosts(text: text, file: "outside.yaml", folder: "/deploy").hosts
    }

    @Test("A host has a name in the outside zone unless it says another")
    func reads() throws {
        let hosts = try self.hosts("hosts: [{name: www, address: 10.215.0.20, command: [web], port: 80}]")

        #expect(hosts.map(\.hostName) == ["www.outside.test"])
        #expect(hosts.map(\.port) == [80])
        #expect(hosts.map(\.folder) == ["/deploy"])
    }

    @Test(
        "Mistakes are refused",
        arguments: [
            "hosts: [{name: WWW, address: 10.215.0.20, command: [web]}]",
            "hosts: [{name: www, address: 10.213.0.20, command: [web]}]",
            "hosts: [{name: www, address: 10.215.0.1, command: [web]}]",
            "hosts: [{name: www, address: 10.215.0.20}]",
            """
            hosts:
            - {name: a, address: 10.215.0.20, command: [web]}
            - {name: b, address: 10.215.0.20, command: [web]}
            """,
        ]
    )
    func mistakes(_ text: String) {
        #expect(throws: PlatformError.self) { try self.hosts(text) }
    }
}
