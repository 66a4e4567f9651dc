package import MeshModel

/// What injected sidecars look like.
package struct InjectionSettings: Sendable, Hashable {
    package var image = "lateen/proxyv2"
    package var discoveryAddress = "istiod.istio-system.svc:15012"
    package var domainSuffix = "cluster.local"
    /// The first part of identities.
    package var trustDomain = "cluster.local"
    /// The name of the cluster, and of the network of its pods; empty: not told to proxies.
    package var cluster = ""
    package var network = ""
    /// Worker loops of a proxy.
    package var concurrency = 2
    /// Always intercepted.
    package var virtualAddresses = VirtualAddressRanges()

    package init() {}
}

/// Whether a pod gets a sidecar, and if not, why: people ask.
package enum InjectionDecision: Hashable, Sendable {
    case inject
    case skip(Reason)

    package enum Reason: String, Hashable, Sendable {
        case hostNetwork = "the pod uses the host's network"
        case alreadyInjected = "the pod has a sidecar"
        case namespaceNotEnabled = "the namespace lacks the label istio-injection=enabled"
        case namespaceDisabled = "the namespace has the label istio-injection=disabled"
        case refusedByPod = "the pod says sidecar.istio.io/inject=false"
        case systemNamespace = "the namespace belongs to Kubernetes"
    }
}
