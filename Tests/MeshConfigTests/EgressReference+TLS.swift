/// Flow 3: TLS of the application.
extension EgressReference {
    static let tlsEntry = """
        apiVersion: networking.istio.io/v1alpha3
        kind: ServiceEntry
        metadata:
          name: cnn
        spec:
          hosts:
          - edition.cnn.com
          ports:
          - number: 443
            name: tls
            protocol: TLS
          resolution: DNS
        """

    /// With mutual TLS, which the gateway opens.
    static let tlsMutual = """
        apiVersion: networking.istio.io/v1alpha3
        kind: Gateway
        metadata:
          name: istio-egressgateway
        spec:
          selector:
            istio: egressgateway
          servers:
          - port:
              number: 443
              name: tls-cnn
              protocol: TLS
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
                  number: 443
                tls:
                  mode: ISTIO_MUTUAL
                  sni: edition.cnn.com
        ---
        apiVersion: networking.istio.io/v1alpha3
        kind: VirtualService
        metadata:
          name: direct-cnn-through-egress-gateway
        spec:
          hosts:
          - edition.cnn.com
          gateways:
          - mesh
          - istio-egressgateway
          tls:
          - match:
            - gateways:
              - mesh
              port: 443
              sni_hosts:
              - edition.cnn.com
            route:
            - destination:
                host: istio-egressgateway.istio-system.svc.cluster.local
                subset: cnn
                port:
                  number: 443
          tcp:
          - match:
            - gateways:
              - istio-egressgateway
              port: 443
            route:
            - destination:
                host: edition.cnn.com
                port:
                  number: 443
              weight: 100
        """

    /// Without: the gateway does not open it.
    static let tlsPassthrough = """
        apiVersion: networking.istio.io/v1alpha3
        kind: Gateway
        metadata:
          name: istio-egressgateway
        spec:
          selector:
            istio: egressgateway
          servers:
          - port:
              number: 443
              name: tls
              protocol: TLS
            hosts:
            - edition.cnn.com
            tls:
              mode: PASSTHROUGH
        ---
        apiVersion: networking.istio.io/v1alpha3
        kind: DestinationRule
        metadata:
          name: egressgateway-for-cnn
        spec:
          host: istio-egressgateway.istio-system.svc.cluster.local
          subsets:
          - name: cnn
        ---
        apiVersion: networking.istio.io/v1alpha3
        kind: VirtualService
        metadata:
          name: direct-cnn-through-egress-gateway
        spec:
          hosts:
          - edition.cnn.com
          gateways:
          - mesh
          - istio-egressgateway
          tls:
          - match:
            - gateways:
              - mesh
              port: 443
              sni_hosts:
              - edition.cnn.com
            route:
            - destination:
                host: istio-egressgateway.istio-system.svc.cluster.local
                subset: cnn
                port:
                  number: 443
          - match:
            - gateways:
              - istio-egressgateway
              port: 443
              sni_hosts:
              - edition.cnn.com
            route:
            - destination:
                host: edition.cnn.com
                port:
                  number: 443
              weight: 100
        """
}
