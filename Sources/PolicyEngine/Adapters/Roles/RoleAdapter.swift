/// Decides by roles (`rbac.istio.io/v1alpha1`): what no `ServiceRole` allows to whom a `ServiceRoleBinding` gives it is
/// refused.
///
/// - `cache_duration` (default `60s`): how long clients keep an answer. `config_store_url` is read over, since roles come
///   from where rules do.
struct RoleAdapter: PolicyHandler {
    static let kind = AdapterKind(
        "rbac",
        templates: ["authorization"],
        objectKinds: ["ServiceRole", "ServiceRoleBinding"]
    ) { settings, context in
        _ = settings.text("config_store_url")
        return RoleAdapter(
            roles: RoleStore(context.objects, report: context.report),
            cacheDuration: settings.duration("cache_duration") ?? .seconds(60)
        )
    }

    let roles: RoleStore
    let cacheDuration: Duration

    func check(_ instance: InstanceData) async throws -> CheckResult {
        let isAllowed = self.roles.allows(
            RoleStore.Request(
                user: instance.text("subject.user"),
                group: instance.text("subject.groups"),
                subject: (instance.maps["subject.properties"] ?? [:]).mapValues(\.plainText),
                namespace: instance.text("action.namespace"),
                service: instance.text("action.service"),
                method: instance.text("action.method"),
                path: instance.text("action.path"),
                action: (instance.maps["action.properties"] ?? [:]).mapValues(\.plainText)
            )
        )
        return CheckResult(
            isAllowed ? .ok : PolicyStatus(.permissionDenied, "no role allows it"),
            validDuration: self.cacheDuration,
            validUseCount: -1
        )
    }
}
