import KubernetesAPI
import Logging

/// Writes Events, the lines at the end of `kubectl describe`. The same event again raises a count.
actor EventRecorder {
    enum Kind: String { case normal = "Normal", warning = "Warning" }

    /// Distinct events that are remembered; older ones start anew.
    private static let knownMax = 1000

    private struct Known {
        var name: String
        var namespace: String
        var count: Int
    }

    private let client: KubernetesClient
    private let component: String
    private let logger: Logger
    private var known: [String: Known] = [:]

    init(client: KubernetesClient, component: String, logger: Logger) {
        self.client = client
        self.component = component
        self.logger = logger
    }

    /// Records an event about an object, or a part of it (`spec.containers{web}`). Failures are logged only: events
    /// explain, nothing depends on them.
    func record(
        _ kind: Kind,
        about object: KubernetesObject,
        field: String? = nil,
        reason: String,
        message: String
    ) async {
        let key = "\(object.uid) \(field ?? "") \(reason) \(message)"
        let now = JSONValue.string(ClockText.now())
        do {
            if var seen = self.known[key] {
                seen.count += 1
                self.known[key] = seen
                let patch: JSONValue = ["count": JSONValue(seen.count), "lastTimestamp": now]
                do {
                    _ = try await self.client.patch(.events, namespace: seen.namespace, name: seen.name, .merge(patch))
                    return
                } catch let error as KubernetesError where error.isNotFound {}
            }
            if self.known.count >= Self.knownMax { self.known = [:] }
            let namespace = object.namespace ?? "default"
            let name = "\(object.name.prefix(200)).\(String(UInt64.random(in: .min ... .max), radix: 16))"
            self.known[key] = Known(name: name, namespace: namespace, count: 1)
            var event = KubernetesObject(.events, namespace: namespace, name: name)
            event.json["involvedObject"] = [
                "apiVersion": .string(object.apiVersion), "kind": .string(object.kind), "name": .string(object.name),
                "namespace": .string(namespace), "uid": .string(object.uid),
            ]
            if let field { event.json[path: "involvedObject", "fieldPath"] = .string(field) }
            event.json["reason"] = .string(reason)
            event.json["message"] = .string(message)
            event.json["type"] = .string(kind.rawValue)
            event.json["count"] = 1
            event.json["firstTimestamp"] = now
            event.json["lastTimestamp"] = now
            event.json["source"] = ["component": .string(self.component), "host": .string(PlatformNetwork.nodeName)]
            event.json["reportingComponent"] = .string(self.component)
            event.json["reportingInstance"] = .string(PlatformNetwork.nodeName)
            _ = try await self.client.create(.events, event)
        } catch {
            self.logger.debug("event not written", metadata: ["reason": "\(reason)", "error": "\(error)"])
        }
    }
}
