/// The objects of the egress-gateway reference, letter by letter; each further flow has a file of its own.
enum EgressReference {
    /// Flow 1: HTTP through the gateway.
    static let httpEntry = """
        apiVersion: networking.istio.io/v1alpha3
        kind: ServiceEntry
        metadata:
          name: cnn
        spec:
          hosts:
          - edition.cnn.com
          ports:
          - number: 80
            name: http-port
            protocol: HTTP
          - number: 443
            name: https
            protocol: HTTPS
          resolution: DNS
        """

    /// With mutual TLS.
    static let httpMutual = """
        apiVersion: networking.istio.io/v1alpha3
        kind: Gateway
        metadata:
          name: istio-egressgateway
        spec:
          selector:
            istio: egressgateway
          servers:
          - port:
              number: 80
              name: https
              protocol: HTTPS
            hosts:
            - edition.cnn.com
            tls:
              mode: MUTUAL
              serverCertificate: /etc/certs/cert-chain.pem
              privateKey: /etc/certs/key.pem
              caCertificates: /etc/certs/root-cert.pem
        ---
        apiVersion: networking.istio.io/v1alpha3
        kind: DestinationRule
        metadata:
          name: egressgateway-for-cnn
        spec:
          host: istio-egressgateway.istio-system.svc.cluster.local
          subsets:
          - name: cnn
            trafficPolicy:
              loadBalancer:
                simple: ROUND_ROBIN
              portLevelSettings:
              - port:
                  number: 80
                tls:
                  mode: ISTIO_MUTUAL
                  sni: edition.cnn.com
        """

    /// Without.
    static let httpPlain = """
        apiVersion: networking.istio.io/v1alpha3
        kind: Gateway
        metadata:
          name: istio-egressgateway
        spec:
          selector:
            istio: egressgateway
          servers:
          - port:
              number: 80
              name: http
              protocol: HTTP
            hosts:
            - edition.cnn.com
        ---
        apiVersion: networking.istio.io/v1alpha3
        kind: DestinationRule
        metadata:
          name: egressgateway-for-cnn
        spec:
          host: istio-egressgateway.istio-system.svc.cluster.local
          subsets:
          - name: cnn
        """

    static let httpRoutes = """
        apiVersion: networking.istio.io/v1alpha3
        kind: VirtualService
        metadata:
          name: direct-cnn-through-egress-gateway
        spec:
          hosts:
          - edition.cnn.com
          gateways:
          - istio-egressgateway
          - mesh
          http:
          - match:
            - gateways:
              - mesh
              port: 80
            route:
            - destination:
                host: istio-egressgateway.istio-system.svc.cluster.local
                subset: cnn
                port:
                  number: 80
              weight: 100
          - match:
            - gateways:
              - istio-egressgateway
              port: 80
            route:
            - destination:
                host: edition.cnn.com
                port:
                  number: 80
              weight: 100
        """

    /// Entry, gateway, rules and routes of each of the six variants.
    static let variants: [[String]] = [
        [Self.httpEntry, Self.httpMutual, Self.httpRoutes],
        [Self.httpEntry, Self.httpPlain, Self.httpRoutes],
        [Self.originationEntry, Self.originationMutual, Self.originationRoutes],
        [Self.originationEntry, Self.originationPlain, Self.originationRoutes],
        [Self.tlsEntry, Self.tlsMutual],
        [Self.tlsEntry, Self.tlsPassthrough],
    ]

    /// The gateway's own pod and Service.
    static let gatewayService = """
        apiVersion: v1
        kind: Service
        metadata: {name: istio-egressgateway, namespace: istio-system, creationTimestamp: "2026-01-01T00:00:00Z"}
        spec:
          clusterIP: 10.214.0.9
          selector: {istio: egressgateway}
          ports:
          - {name: http2, port: 80, targetPort: 8080}
          - {name: https, port: 443, targetPort: 8443}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: egress-1, namespace: istio-system, labels: {istio: egressgateway}}
        spec: {serviceAccountName: istio-egressgateway-service-account}
        status: {phase: Running, podIP: 10.213.1.9, conditions: [{type: Ready, status: "True"}]}
        """
}
