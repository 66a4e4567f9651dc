/// A type of objects that the API serves: what stands in URLs and in `kind`.
package struct ResourceType: Hashable, Sendable {
    /// Empty for the core group.
    package var group: String
    package var version: String
    /// `pods`; the segment of the URL.
    package var plural: String
    package var kind: String
    package var isNamespaced: Bool
    /// Words that `kubectl` takes for it: `po`, `svc`.
    package var shortNames: [String]

    package init(
        group: String = "",
        version: String = "v1",
        plural: String,
        kind: String,
        isNamespaced: Bool = true,
        shortNames: [String] = []
    ) {
        self.group = group
        self.version = version
        self.plural = plural
        self.kind = kind
        self.isNamespaced = isNamespaced
        self.shortNames = shortNames
    }

    /// `v1`, `apps/v1`
    package var apiVersion: String { self.group.isEmpty ? self.version : "\(self.group)/\(self.version)" }
    package var singular: String { self.kind.lowercased() }
    /// `pods`, `deployments.apps`
    package var qualifiedName: String { self.group.isEmpty ? self.plural : "\(self.plural).\(self.group)" }

    /// The same type in another version of its group.
    package func version(_ version: String) -> ResourceType {
        var copy = self
        copy.version = version
        return copy
    }

    /// The URL path of the collection, of one object, or of a part of it; without a namespace, across all of them.
    package func path(namespace: String? = nil, name: String? = nil, subresource: String? = nil) -> String {
        var path = self.group.isEmpty ? "/api/\(self.version)" : "/apis/\(self.group)/\(self.version)"
        if self.isNamespaced, let namespace { path += "/namespaces/\(Self.escape(namespace))" }
        path += "/\(self.plural)"
        if let name { path += "/\(Self.escape(name))" }
        if let subresource { path += "/\(subresource)" }
        return path
    }

    /// RFC 3986 section 2: what is not unreserved is percent-encoded.
    static func escape(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                escaped += "%" + (hex.count == 1 ? "0" : "") + hex
            }
        }
        return escaped
    }
}

extension ResourceType {
    package static let pods = ResourceType(plural: "pods", kind: "Pod", shortNames: ["po"])
    package static let services = ResourceType(plural: "services", kind: "Service", shortNames: ["svc"])
    package static let endpoints = ResourceType(plural: "endpoints", kind: "Endpoints", shortNames: ["ep"])
    package static let configMaps = ResourceType(plural: "configmaps", kind: "ConfigMap", shortNames: ["cm"])
    package static let secrets = ResourceType(plural: "secrets", kind: "Secret")
    package static let serviceAccounts = ResourceType(
        plural: "serviceaccounts",
        kind: "ServiceAccount",
        shortNames: ["sa"]
    )
    package static let events = ResourceType(plural: "events", kind: "Event", shortNames: ["ev"])
    package static let namespaces = ResourceType(
        plural: "namespaces",
        kind: "Namespace",
        isNamespaced: false,
        shortNames: ["ns"]
    )
    package static let nodes = ResourceType(plural: "nodes", kind: "Node", isNamespaced: false, shortNames: ["no"])
    package static let endpointSlices = ResourceType(
        group: "discovery.k8s.io",
        plural: "endpointslices",
        kind: "EndpointSlice"
    )
    package static let deployments = ResourceType(
        group: "apps",
        plural: "deployments",
        kind: "Deployment",
        shortNames: ["deploy"]
    )
    package static let replicaSets = ResourceType(
        group: "apps",
        plural: "replicasets",
        kind: "ReplicaSet",
        shortNames: ["rs"]
    )
    package static let networkPolicies = ResourceType(
        group: "networking.k8s.io",
        plural: "networkpolicies",
        kind: "NetworkPolicy",
        shortNames: ["netpol"]
    )
    package static let mutatingWebhookConfigurations = ResourceType(
        group: "admissionregistration.k8s.io",
        plural: "mutatingwebhookconfigurations",
        kind: "MutatingWebhookConfiguration",
        isNamespaced: false
    )
    package static let validatingWebhookConfigurations = ResourceType(
        group: "admissionregistration.k8s.io",
        plural: "validatingwebhookconfigurations",
        kind: "ValidatingWebhookConfiguration",
        isNamespaced: false
    )
    package static let customResourceDefinitions = ResourceType(
        group: "apiextensions.k8s.io",
        plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition",
        isNamespaced: false,
        shortNames: ["crd", "crds"]
    )
    package static let roles = Self.accessControl("roles", "Role", isNamespaced: true)
    package static let roleBindings = Self.accessControl("rolebindings", "RoleBinding", isNamespaced: true)
    package static let clusterRoles = Self.accessControl("clusterroles", "ClusterRole", isNamespaced: false)
    package static let clusterRoleBindings = Self.accessControl(
        "clusterrolebindings",
        "ClusterRoleBinding",
        isNamespaced: false
    )

    package static let istioNetworkingGroup = "networking.istio.io"
    /// The schema is the same in all of them; we ask for the newest.
    package static let istioNetworkingVersions = ["v1", "v1beta1", "v1alpha3"]

    package static let serviceEntries = Self.istio("serviceentries", "ServiceEntry", ["se"])
    package static let virtualServices = Self.istio("virtualservices", "VirtualService", ["vs"])
    package static let destinationRules = Self.istio("destinationrules", "DestinationRule", ["dr"])
    package static let gateways = Self.istio("gateways", "Gateway", ["gw"])
    package static let sidecars = Self.istio("sidecars", "Sidecar", [])
    package static let workloadEntries = Self.istio("workloadentries", "WorkloadEntry", ["we"])
    package static let workloadGroups = Self.istio("workloadgroups", "WorkloadGroup", ["wg"])

    package static let istioSecurityGroup = "security.istio.io"
    package static let istioSecurityVersions = ["v1", "v1beta1"]

    package static let peerAuthentications = Self.security("peerauthentications", "PeerAuthentication", ["pa"])
    package static let requestAuthentications = Self.security("requestauthentications", "RequestAuthentication", ["ra"])
    package static let authorizationPolicies = Self.security("authorizationpolicies", "AuthorizationPolicy", ["ap"])

    /// Of Istio 1.0 to 1.5; the group above replaced it.
    package static let istioAuthenticationGroup = "authentication.istio.io"

    package static let policies = ResourceType(
        group: Self.istioAuthenticationGroup,
        version: "v1alpha1",
        plural: "policies",
        kind: "Policy"
    )
    package static let meshPolicies = ResourceType(
        group: Self.istioAuthenticationGroup,
        version: "v1alpha1",
        plural: "meshpolicies",
        kind: "MeshPolicy",
        isNamespaced: false
    )

    /// Of the policy engine; proxies have to know of these.
    package static let istioConfigGroup = "config.istio.io"

    package static let quotaSpecs = ResourceType(
        group: Self.istioConfigGroup,
        version: "v1alpha2",
        plural: "quotaspecs",
        kind: "QuotaSpec"
    )
    package static let quotaSpecBindings = ResourceType(
        group: Self.istioConfigGroup,
        version: "v1alpha2",
        plural: "quotaspecbindings",
        kind: "QuotaSpecBinding"
    )
    package static let apiSpecs = ResourceType(
        group: Self.istioConfigGroup,
        version: "v1alpha2",
        plural: "httpapispecs",
        kind: "HTTPAPISpec"
    )
    package static let apiSpecBindings = ResourceType(
        group: Self.istioConfigGroup,
        version: "v1alpha2",
        plural: "httpapispecbindings",
        kind: "HTTPAPISpecBinding"
    )

    /// Every type named above.
    package static let known: [ResourceType] = [
        .pods, .services, .endpoints, .configMaps, .secrets, .serviceAccounts, .events, .namespaces, .nodes,
        .endpointSlices, .deployments, .replicaSets, .mutatingWebhookConfigurations, .validatingWebhookConfigurations,
        .customResourceDefinitions, .roles, .roleBindings, .clusterRoles, .clusterRoleBindings, .serviceEntries,
        .virtualServices, .destinationRules, .gateways, .sidecars, .workloadEntries, .workloadGroups,
        .peerAuthentications, .requestAuthentications, .authorizationPolicies, .policies, .meshPolicies,
        .networkPolicies, .quotaSpecs, .quotaSpecBindings, .apiSpecs, .apiSpecBindings,
    ]

    /// The type of an object by its `apiVersion` and `kind`; the version is taken as written.
    package static func known(apiVersion: String, kind: String) -> ResourceType? {
        let parts = apiVersion.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let group = parts.count == 2 ? String(parts[0]) : ""
        let version = parts.last.map(String.init) ?? ""
        return self.known.first { $0.kind == kind && $0.group == group }?.version(version)
    }

    private static func accessControl(_ plural: String, _ kind: String, isNamespaced: Bool) -> ResourceType {
        ResourceType(group: "rbac.authorization.k8s.io", plural: plural, kind: kind, isNamespaced: isNamespaced)
    }

    private static func security(_ plural: String, _ kind: String, _ shortNames: [String]) -> ResourceType {
        ResourceType(group: self.istioSecurityGroup, plural: plural, kind: kind, shortNames: shortNames)
    }

    private static func istio(_ plural: String, _ kind: String, _ shortNames: [String]) -> ResourceType {
        ResourceType(group: self.istioNetworkingGroup, plural: plural, kind: kind, shortNames: shortNames)
    }
}
