"""The objects of "Configure an egress gateway" as its readers type them, for the three flows with and without mutual TLS."""

GATEWAY_TLS = """    tls:
      mode: MUTUAL
      serverCertificate: /etc/certs/cert-chain.pem
      privateKey: /etc/certs/key.pem
      caCertificates: /etc/certs/root-cert.pem
"""


def service_entry(*ports):
    lines = "".join(f"  - number: {number}\n    name: {name}\n    protocol: {protocol}\n" for number, name, protocol in ports)
    return f"""apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata:
  name: cnn
spec:
  hosts:
  - edition.cnn.com
  ports:
{lines}  resolution: DNS
"""


def gateway(number, name, protocol, tls=""):
    return f"""apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata:
  name: istio-egressgateway
spec:
  selector:
    istio: egressgateway
  servers:
  - port:
      number: {number}
      name: {name}
      protocol: {protocol}
    hosts:
    - edition.cnn.com
{tls}"""


def to_gateway(port=None):
    """The DestinationRule for the gateway; with mutual TLS on `port` if it is given."""
    policy = f"""    trafficPolicy:
      loadBalancer:
        simple: ROUND_ROBIN
      portLevelSettings:
      - port:
          number: {port}
        tls:
          mode: ISTIO_MUTUAL
          sni: edition.cnn.com
""" if port else ""
    return f"""apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: egressgateway-for-cnn
spec:
  host: istio-egressgateway.istio-system.svc.cluster.local
  subsets:
  - name: cnn
{policy}"""


def http_routes(port):
    """mesh:80 -> gateway:`port`, gateway:`port` -> edition.cnn.com:`port`."""
    return f"""apiVersion: networking.istio.io/v1alpha3
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
          number: {port}
      weight: 100
  - match:
    - gateways:
      - istio-egressgateway
      port: {port}
    route:
    - destination:
        host: edition.cnn.com
        port:
          number: {port}
      weight: 100
"""


ORIGINATE_TLS = """apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: originate-tls-for-edition-cnn-com
spec:
  host: edition.cnn.com
  trafficPolicy:
    loadBalancer:
      simple: ROUND_ROBIN
    portLevelSettings:
    - port:
        number: 443
      tls:
        mode: SIMPLE # initiates HTTPS for connections to edition.cnn.com
"""


def originate(tls):
    """The DestinationRule by which the gateway speaks TLS to port 8443, whose server wants a client's certificate."""
    return f"""apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: originate-tls-for-edition-cnn-com
spec:
  host: edition.cnn.com
  trafficPolicy:
    portLevelSettings:
    - port: {{number: 8443}}
      tls: {{{tls}}}
"""


TLS_ROUTES_HEAD = """apiVersion: networking.istio.io/v1alpha3
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
"""

TLS_ROUTES_TERMINATED = TLS_ROUTES_HEAD + """  tcp:
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

TLS_ROUTES_PASSED_ON = TLS_ROUTES_HEAD + """  - match:
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

ENTRY = {
    "http": service_entry((80, "http-port", "HTTP"), (443, "https", "HTTPS")),
    "origination": service_entry((80, "http-port", "HTTP"), (443, "http-port-for-tls-origination", "HTTP")),
    "passthrough": service_entry((443, "tls", "TLS")),
}


def objects(flow, mutual):
    """All objects of a flow but the ServiceEntry, in the order of the text."""
    if flow == "http":
        front = gateway(80, "https", "HTTPS", GATEWAY_TLS) if mutual else gateway(80, "http", "HTTP")
        return [front, to_gateway(80 if mutual else None), http_routes(80)]
    if flow == "origination":
        front = (
            gateway(443, "https", "HTTPS", GATEWAY_TLS) if mutual
            else gateway(443, "http-port-for-tls-origination", "HTTP")
        )
        return [front, to_gateway(443 if mutual else None), http_routes(443), ORIGINATE_TLS]
    front = (
        gateway(443, "tls-cnn", "TLS", GATEWAY_TLS) if mutual
        else gateway(443, "tls", "TLS", "    tls:\n      mode: PASSTHROUGH\n")
    )
    return [front, to_gateway(443 if mutual else None), TLS_ROUTES_TERMINATED if mutual else TLS_ROUTES_PASSED_ON]


def to_port_8443():
    """The way of plain requests to port 80 through the gateway to port 8443 outside."""
    head, number, _ = http_routes(80).rpartition("number: 80")
    return [
        service_entry((80, "http-port", "HTTP"), (8443, "http-with-certificate", "HTTP")),
        gateway(80, "http", "HTTP"), to_gateway(), f"{head}number: 8443\n      weight: 100\n",
    ]


CLEAN_UP = {
    "http": ["gateway istio-egressgateway", "serviceentry cnn", "virtualservice direct-cnn-through-egress-gateway",
             "destinationrule egressgateway-for-cnn"],
    "origination": ["gateway istio-egressgateway", "serviceentry cnn",
                    "virtualservice direct-cnn-through-egress-gateway",
                    "destinationrule originate-tls-for-edition-cnn-com", "destinationrule egressgateway-for-cnn"],
    "passthrough": ["serviceentry cnn", "gateway istio-egressgateway",
                    "virtualservice direct-cnn-through-egress-gateway", "destinationrule egressgateway-for-cnn"],
}
