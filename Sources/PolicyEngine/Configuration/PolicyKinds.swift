package import KubernetesAPI

/// The kinds of `config.istio.io` that the engine reads.
package enum PolicyKinds {
    package static let version = "v1alpha2"
    /// Of roles and their bindings.
    package static let rolesGroup = "rbac.istio.io"

    /// Kinds of today, and the older ones that are named after an adapter or a template.
    package static let all: [ResourceType] = [
        Self.type("attributemanifest", "attributemanifests"), Self.type("rule", "rules"),
        Self.type("handler", "handlers"), Self.type("instance", "instances"),
        Self.type("adapter", "adapters"), Self.type("template", "templates"),
        Self.type("denier", "deniers"), Self.type("listchecker", "listcheckers"), Self.type("memquota", "memquotas"),
        Self.type("noop", "noops"), Self.type("prometheus", "prometheuses"), Self.type("stdio", "stdios"),
        Self.type("apikey", "apikeys"), Self.type("authorization", "authorizations"),
        Self.type("checknothing", "checknothings"), Self.type("edge", "edges"),
        Self.type("kubernetes", "kuberneteses"), Self.type("listentry", "listentries"),
        Self.type("logentry", "logentries"), Self.type("metric", "metrics"), Self.type("quota", "quotas"),
        Self.type("reportnothing", "reportnothings"), Self.type("tracespan", "tracespans"),
        Self.type("fluentd", "fluentds"), Self.type("kubernetesenv", "kubernetesenvs"), Self.type("rbac", "rbacs"),
        Self.type("redisquota", "redisquotas"), Self.type("statsd", "statsds"),
        ResourceType(group: Self.rolesGroup, version: "v1alpha1", plural: "serviceroles", kind: "ServiceRole"),
        ResourceType(
            group: Self.rolesGroup,
            version: "v1alpha1",
            plural: "servicerolebindings",
            kind: "ServiceRoleBinding"
        ),
    ]

    private static func type(_ kind: String, _ plural: String) -> ResourceType {
        ResourceType(group: ConfigurationBuilder.group, version: Self.version, plural: plural, kind: kind)
    }
}
