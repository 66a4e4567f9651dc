extension AttributeVocabulary {
    /// What proxies and the Kubernetes environment say about traffic (the manifests `istio-proxy` and `kubernetes`).
    package static let standard = AttributeVocabulary(AttributeVocabulary.standardTypes)

    private static let standardTypes: [String: ValueType] = {
        var types: [String: ValueType] = [:]
        for (type, names) in Self.namesByType {
            for name in names.split(whereSeparator: \.isWhitespace) { types[String(name)] = type }
        }
        return types
    }()

    private static let namesByType: [(ValueType, String)] = [
        (
            .string,
            """
            origin.uid origin.user
            request.id request.host request.method request.path request.url_path request.reason request.referer
            request.scheme request.useragent request.api_key
            request.auth.principal request.auth.audiences request.auth.presenter request.auth.raw_claims
            response.grpc_status response.grpc_message
            source.uid source.user source.principal source.name source.namespace source.owner source.service
            source.serviceAccount source.services
            source.workload.uid source.workload.name source.workload.namespace
            destination.uid destination.principal destination.name destination.namespace
            destination.owner destination.service destination.serviceAccount
            destination.workload.uid destination.workload.name destination.workload.namespace
            destination.service.uid destination.service.name destination.service.namespace destination.service.host
            destination.container.name destination.container.image
            connection.event connection.id connection.requested_server_name
            context.protocol context.proxy_error_code
            context.reporter.kind context.reporter.uid context.reporter.type
            api.service api.version api.operation api.protocol
            rbac.permissive.response_code rbac.permissive.effective_policy_id
            check.error_message
            """
        ),
        (
            .int64,
            """
            request.size request.total_size response.code response.size response.total_size destination.port
            connection.received.bytes connection.received.bytes_total connection.sent.bytes
            connection.sent.bytes_total check.error_code
            """
        ),
        (.bool, "connection.mtls context.reporter.local check.cache_hit quota.cache_hit"),
        (.timestamp, "request.time response.time context.timestamp context.time"),
        (.duration, "response.duration connection.duration"),
        (.ipAddress, "origin.ip source.ip destination.ip"),
        (
            .stringMap,
            """
            request.headers request.query_params request.auth.claims response.headers source.labels destination.labels
            destination.metadata
            """
        ),
    ]
}
