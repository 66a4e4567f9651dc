internal import KubernetesAPI

extension AdapterKind {
    /// An adapter outside, as handlers name it. Their settings are `connection` and `params`.
    static func outside(_ form: OutsideAdapterForm) -> AdapterKind {
        AdapterKind(
            form.name,
            templates: Set(form.templates.keys),
            // Who changes the adapter or a template gets new handlers.
            identity: "\(form.name).\(form.namespace) \(form.hashValue)"
        ) { settings, context in
            let params = settings.value("params") ?? .null
            let encoded = form.encode(params) { path, message in
                settings.complain("params\(path.isEmpty ? "" : ".")\(path)", message)
            }
            guard let reader = settings.object("connection") else {
                settings.complain("connection", "is missing: the address of the adapter")
                return BrokenHandler(reason: "its connection is missing")
            }
            guard let connection = AdapterConnection(reader), reader.mistakes.isEmpty else {
                return BrokenHandler(reason: "its connection is wrong")
            }
            return OutsideHandler(adapter: form, connection: connection, settings: encoded, context: context)
        }
    }
}
