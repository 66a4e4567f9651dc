extension TemplateSchema {
    /// The templates of the engine itself, by name.
    package static let standard: [String: TemplateSchema] = Dictionary(
        uniqueKeysWithValues: [
            Self.checkNothing, .reportNothing, .listEntry, .quota, .metric, .logEntry, .apiKey, .authorization,
            .traceSpan, .kubernetes, .edge,
        ].map { ($0.name, $0) }
    )

    static let checkNothing = TemplateSchema("checknothing", .check, [])
    static let reportNothing = TemplateSchema("reportnothing", .report, [])
    static let listEntry = TemplateSchema("listentry", .check, [Field("value", .oneOf([.string, .ipAddress]))])
    static let quota = TemplateSchema("quota", .quota, [Field("dimensions", .valueMap)])

    private static let monitoredResource = [
        Field("monitored_resource_type", .typed(.string)), Field("monitored_resource_dimensions", .valueMap),
    ]

    static let metric = TemplateSchema(
        "metric",
        .report,
        [Field("value", .value), Field("dimensions", .valueMap)] + Self.monitoredResource
    )

    static let logEntry = TemplateSchema(
        "logentry",
        .report,
        [
            Field("variables", .valueMap), Field("timestamp", .typed(.timestamp)), Field("severity", .typed(.string)),
        ] + Self.monitoredResource
    )

    static let apiKey = TemplateSchema(
        "apikey",
        .check,
        Self.fields(.string, "api", "api_version", "api_operation", "api_key")
            + [Field("timestamp", .typed(.timestamp))]
    )

    static let authorization = TemplateSchema(
        "authorization",
        .check,
        [
            Field(
                "subject",
                .message(Self.fields(.string, "user", "groups") + [Field("properties", .valueMap)])
            ),
            Field(
                "action",
                .message(
                    Self.fields(.string, "namespace", "service", "method", "path") + [Field("properties", .valueMap)]
                )
            ),
        ]
    )

    static let traceSpan = TemplateSchema(
        "tracespan",
        .report,
        Self.fields(.string, "trace_id", "span_id", "parent_span_id", "span_name")
            + Self.fields(.timestamp, "start_time", "end_time") + [Field("span_tags", .valueMap)]
            + Self.fields(.int64, "http_status_code") + Self.fields(.bool, "client_span", "rewrite_client_span_id")
            + Self.fields(.string, "source_name", "destination_name", "api_protocol")
            + Self.fields(.ipAddress, "source_ip", "destination_ip")
            + Self.fields(.int64, "request_size", "request_total_size", "response_size", "response_total_size")
    )

    static let edge = TemplateSchema(
        "edge",
        .report,
        Self.fields(.timestamp, "timestamp")
            + Self.fields(
                .string,
                "source_uid",
                "source_owner",
                "source_workload_name",
                "source_workload_namespace",
                "destination_uid",
                "destination_owner",
                "destination_workload_name",
                "destination_workload_namespace",
                "destination_service_name",
                "destination_service_namespace",
                "context_protocol",
                "api_protocol"
            )
    )

    static let kubernetes = TemplateSchema(
        "kubernetes",
        .attributes,
        Self.fields(.string, "source_uid", "destination_uid") + Self.fields(.ipAddress, "source_ip", "destination_ip")
            + Self.fields(.int64, "destination_port"),
        output: {
            var output: [String: ValueType] = ["destination_container_name": .string]
            for side in ["source", "destination"] {
                output["\(side)_pod_ip"] = .ipAddress
                output["\(side)_host_ip"] = .ipAddress
                output["\(side)_labels"] = .stringMap
                for name in [
                    "pod_uid", "pod_name", "namespace", "service_account_name", "owner", "workload_uid",
                    "workload_name", "workload_namespace",
                ] { output["\(side)_\(name)"] = .string }
            }
            return output
        }()
    )

    private static func fields(_ type: ValueType, _ names: String...) -> [Field] {
        names.map { Field($0, .typed(type)) }
    }
}
