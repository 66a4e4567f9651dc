import KubernetesAPI

/// All versions of a kind share one stored form: only `apiVersion` and `kind` are rewritten to what a client asked.
///
/// Events are the exception: `events.k8s.io` names the same fields differently.
enum VersionConversion {
    private static let eventFields = [
        ("message", "note"), ("involvedObject", "regarding"), ("reportingComponent", "reportingController"),
        ("source", "deprecatedSource"), ("firstTimestamp", "deprecatedFirstTimestamp"),
        ("lastTimestamp", "deprecatedLastTimestamp"), ("count", "deprecatedCount"),
    ]

    static func present(_ json: JSONValue, as info: ResourceInfo) -> JSONValue {
        var json = json
        json.set("apiVersion", .string(info.apiVersion))
        json.set("kind", .string(info.kind))
        if info.storage != nil { self.rename(&json, self.eventFields) }
        return json
    }

    static func stored(_ json: JSONValue, as info: ResourceInfo) -> JSONValue {
        guard info.storage != nil else { return json }
        var json = json
        json.set("apiVersion", "v1")
        self.rename(&json, self.eventFields.map { ($1, $0) })
        return json
    }

    private static func rename(_ json: inout JSONValue, _ names: [(String, String)]) {
        for (old, new) in names {
            if let value = json[old] {
                json.set(old, nil)
                json.set(new, value)
            }
        }
    }
}
