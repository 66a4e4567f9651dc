import MeshModel
import MeshTranslate
import Testing

/// Whole configurations of meshes with mutual TLS; output in `Golden/`.
@Suite struct SecurityGoldenTests {
    @Test("A strict mesh with a port of plain text, seen by a workload in it")
    func strict() throws {
        var mesh = MeshBuilder()
        try mesh.service(
            "web",
            ip: "10.214.0.5",
            ports: ["http": 9080, "mysql": 3306],
            endpoints: ["10.213.9.9": ["app": "web"]]
        )
        try mesh.service("rpc", ip: "10.214.0.6", ports: ["grpc": 9001], endpoints: ["10.213.1.6": [:]])
        mesh.giveIdentities()
        mesh.peers(.strict)
        mesh.peers(
            nil,
            namespace: "default",
            selector: ["app": "web"],
            ports: [try port(3306): .disable, try port(4444): .disable]
        )

        try Golden.check("strict", mesh.resources(labels: ["app": "web"]))
    }

    @Test("TLS to the outside, from files and Secrets, with outlier detection, localities and hashing")
    func destinations() throws {
        var mesh = MeshBuilder()
        try mesh.service(
            "web",
            ip: "10.214.0.5",
            ports: ["http": 80],
            endpoints: ["10.213.1.5": [:], "10.213.1.6": [:]]
        )
        try mesh.entry("edition.cnn.com", port: 443, .http, resolution: .dns(roundRobin: false))
        try mesh.entry("bank.outside.test", port: 443, .http2, resolution: .dns(roundRobin: true))
        try mesh.entry("*.wiki.test", port: 443, .http)
        mesh.giveIdentities()
        mesh.edit { snapshot in
            let web = ServiceKey(snapshot.services[0])
            snapshot.endpoints[web]?[0].locality = Locality(region: "eu", zone: "1")
            snapshot.endpoints[web]?[1].locality = Locality(region: "us", zone: "1")
            snapshot.credentials[ObjectID(namespace: "default", name: "bank")] = TLSCredential(
                certificateChain: Array("chain".utf8),
                privateKey: Array("key".utf8),
                roots: Array("roots".utf8)
            )
        }
        var near = TrafficPolicy()
        near.outlierDetection = OutlierDetection()
        near.loadBalancing = .consistentHash(ConsistentHash(key: .header("x-user")))
        try mesh.policy(for: "web.default.svc.cluster.local", near)
        var simple = TrafficPolicy()
        simple.tls = ClientTLSSettings(mode: .simple)
        try mesh.policy(for: "edition.cnn.com", simple)
        try mesh.policy(for: "*.wiki.test", simple)
        var mutual = TrafficPolicy()
        var tls = ClientTLSSettings(mode: .mutual)
        tls.credentialName = "bank"
        mutual.tls = tls
        try mesh.policy(for: "bank.outside.test", mutual)

        try Golden.check(
            "destinations",
            mesh.resources(locality: Locality(region: "eu", zone: "1"), isAuthenticated: true)
        )
    }
}
