/// Objects of the tests, in the fewest lines that say what matters.
enum GatewayYAML {
    /// A Gateway for the ingress gateway; `servers` in flow style.
    static func gateway(_ name: String, namespace: String = "default", age: Int = 0, _ servers: String...) -> String {
        """
        ---
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: \(name), namespace: \(namespace), creationTimestamp: "2026-01-01T00:00:0\(9 - age)Z"}
        spec:
          selector: {istio: ingressgateway}
          servers: [\(servers.joined(separator: ", "))]

        """
    }

    static func server(_ number: Int, _ word: String, _ hosts: String, tls: String? = nil, more: String = "") -> String
    {
        let suffix = (tls.map { ", tls: {\($0)}" } ?? "") + more
        return "{port: {number: \(number), name: \(word.lowercased()), protocol: \(word)}, hosts: [\(hosts)]\(suffix)}"
    }

    /// A VirtualService bound to `gateways`; `rules` holds the lines of `http`, `tls` or `tcp` in flow style.
    static func rules(
        _ name: String,
        namespace: String = "default",
        hosts: String,
        gateways: String,
        _ rules: String
    ) -> String {
        """
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: \(name), namespace: \(namespace)}
        spec:
          hosts: [\(hosts)]
          gateways: [\(gateways)]
          \(rules)

        """
    }

    static func route(_ host: String, port: Int) -> String {
        "route: [{destination: {host: \(host), port: {number: \(port)}}}]"
    }

    /// Services of the mesh that the gateway leads to.
    static let services = """
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: default}
        spec:
          clusterIP: 10.214.0.20
          ports: [{name: http, port: 8000}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: shop, namespace: default}
        spec:
          clusterIP: 10.214.0.21
          ports: [{name: http, port: 8000}, {name: tcp-db, port: 5000}, {name: tls, port: 8443}]

        """

    static let web = GatewayYAML.rules(
        "web",
        hosts: "'*'",
        gateways: "edge",
        "http: [{\(GatewayYAML.route("web", port: 8000))}]"
    )
}
