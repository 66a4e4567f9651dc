import Foundation
import KubernetesAPI
import Logging

/// Options of a write that come from the query.
struct WriteOptions: Sendable {
    enum FieldValidation: Sendable { case ignore, warn, strict }

    var isDryRun = false
    /// `nil` if the client did not say: strict for custom kinds, warnings for built-in ones.
    var fieldValidation: FieldValidation?
    var identity = Identity(name: "system:apiserver", groups: ["system:masters"])

    init() {}

    init(_ request: APIRequest) throws {
        self.isDryRun = request.isDryRun
        self.identity = request.identity
        switch request.parameter("fieldValidation") {
        case nil, ""?: ()
        case "Ignore"?: self.fieldValidation = .ignore
        case "Warn"?: self.fieldValidation = .warn
        case "Strict"?: self.fieldValidation = .strict
        case let other?:
            throw APIFailure.badRequest("fieldValidation must be Ignore, Warn or Strict, not \"\(other)\"")
        }
    }
}

/// What a write left behind.
struct WriteOutcome: Sendable {
    var object: JSONValue
    var wasCreated = false
    /// Texts for `Warning` headers.
    var warnings: [String] = []
}

/// Create, read, update and delete of objects of every kind, with the rules of the Kubernetes API.
final class ResourceService: Sendable {
    let store: ObjectStore
    let registry: ResourceRegistry
    let admission: AdmissionWebhooks
    let configuration: APIServerConfiguration
    let caPEM: String
    let logger: Logger

    init(
        store: ObjectStore,
        registry: ResourceRegistry,
        admission: AdmissionWebhooks,
        configuration: APIServerConfiguration,
        caPEM: String,
        logger: Logger
    ) {
        self.store = store
        self.registry = registry
        self.admission = admission
        self.configuration = configuration
        self.caPEM = caPEM
        self.logger = logger
        self.reloadDefinitions()
    }

    static let definitions = GroupResource(group: "apiextensions.k8s.io", resource: "customresourcedefinitions")
    static let namespaces = GroupResource(group: "", resource: "namespaces")
    static let pods = GroupResource(group: "", resource: "pods")
    static let services = GroupResource(group: "", resource: "services")

    static func now() -> JSONValue {
        .string(KubernetesTime.text(seconds: Int64(Date().timeIntervalSince1970)))
    }

    func key(_ info: ResourceInfo, _ namespace: String?, _ name: String) -> StoreKey {
        StoreKey(
            resource: info.storageResource,
            namespace: info.isNamespaced ? namespace ?? "" : "",
            name: name
        )
    }

    func get(_ info: ResourceInfo, namespace: String?, name: String) throws -> JSONValue {
        guard let object = self.store.object(self.key(info, namespace, name)) else {
            throw APIFailure.notFound(info.resource, name)
        }
        return VersionConversion.present(object.json, as: info)
    }

    /// Takes the kinds of all CustomResourceDefinitions into the catalogue.
    func reloadDefinitions() {
        self.registry.update(definitions: self.store.objects(of: Self.definitions).map(\.json))
    }

    // MARK: Create

    func create(
        _ info: ResourceInfo,
        namespace: String?,
        object: JSONValue,
        options: WriteOptions
    ) async throws -> WriteOutcome {
        var object = try self.identified(object, info: info, namespace: namespace)
        var warnings: [String] = []
        object = try self.checkFields(object, info: info, options: options, warnings: &warnings)
        object.mutate("metadata") { metadata in
            for field in [
                "uid", "resourceVersion", "creationTimestamp", "generation", "deletionTimestamp",
                "deletionGracePeriodSeconds", "selfLink", "managedFields",
            ] {
                metadata.set(field, nil)
            }
            metadata.set("uid", .string(UUID().uuidString.lowercased()))
            metadata.set("creationTimestamp", Self.now())
            if info.hasGeneration { metadata.set("generation", 1) }
        }
        let scope = info.isNamespaced ? namespace : nil
        if object.metadataString("name").isEmpty, !object.metadataString("generateName").isEmpty {
            object = object.settingMetadata(
                "name",
                .string(object.metadataString("generateName").prefix(58) + Names.randomSuffix())
            )
        }
        try self.requireNamespace(scope, name: object.metadataString("name"), info: info)
        if info.hasStatus { object.set("status", nil) }
        Defaults.apply(to: &object, info: info)
        object = try await self.admit(object, info: info, namespace: scope, options: options, warnings: &warnings)
        self.setInitialStatus(&object, info: info)
        try self.checkRules(object, info: info)

        let final = VersionConversion.stored(object, as: info)
        let key = self.key(info, scope, object.metadataString("name"))
        let range = self.configuration.serviceCIDR
        let extras = info.storageResource == Self.namespaces ? self.namespaceContents(key.name) : []
        if options.isDryRun {
            if self.store.object(key) != nil { throw APIFailure.alreadyExists(info.resource, key.name) }
            return WriteOutcome(
                object: VersionConversion.present(final, as: info),
                wasCreated: true,
                warnings: warnings
            )
        }
        let stored = try await self.store.write { transaction in
            if transaction.object(key) != nil { throw APIFailure.alreadyExists(info.resource, key.name) }
            if let scope, transaction.object(StoreKey(resource: Self.namespaces, namespace: "", name: scope)) == nil {
                throw APIFailure.notFound(Self.namespaces, scope)
            }
            var final = final
            if key.resource == Self.services {
                try ServiceAddresses.assign(&final, current: nil, name: key.name, range: range, in: transaction)
            }
            let stored = transaction.put(key, final)
            for (extraKey, extra) in extras where transaction.object(extraKey) == nil {
                transaction.put(extraKey, extra)
            }
            return stored
        }
        if key.resource == Self.definitions { self.reloadDefinitions() }
        return WriteOutcome(
            object: VersionConversion.present(stored.json, as: info),
            wasCreated: true,
            warnings: warnings
        )
    }

    /// Checks that the object is of the kind and in the namespace that the address says.
    private func identified(_ object: JSONValue, info: ResourceInfo, namespace: String?) throws -> JSONValue {
        guard object.object != nil else { throw APIFailure.badRequest("the request's body must be one object") }
        var object = object
        let apiVersion = object["apiVersion"]?.string ?? ""
        let kind = object["kind"]?.string ?? ""
        guard apiVersion.isEmpty || apiVersion == info.apiVersion, kind.isEmpty || kind == info.kind else {
            throw APIFailure.badRequest(
                "the API version in the data (\(apiVersion)) and kind (\(kind)) do not match the expected "
                    + "\(info.apiVersion), \(info.kind)"
            )
        }
        object.set("apiVersion", .string(info.apiVersion))
        object.set("kind", .string(info.kind))
        if let metadata = object["metadata"], metadata.object == nil {
            throw self.invalid(
                object,
                info,
                [.invalid("metadata", metadata, "metadata in body must be of type object")]
            )
        }
        if info.isNamespaced {
            guard let namespace, !namespace.isEmpty else {
                throw APIFailure.badRequest("namespace must be given in the address to write \(info.plural)")
            }
            let given = object.metadataString("namespace")
            guard given.isEmpty || given == namespace else {
                throw APIFailure.badRequest(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            }
            object = object.settingMetadata("namespace", .string(namespace))
        } else {
            object = object.settingMetadata("namespace", nil)
        }
        return object
    }

    private func requireNamespace(_ namespace: String?, name: String, info: ResourceInfo) throws {
        guard let namespace else { return }
        let key = StoreKey(resource: Self.namespaces, namespace: "", name: namespace)
        guard let found = self.store.object(key) else { throw APIFailure.notFound(Self.namespaces, namespace) }
        if found.json.metadata["deletionTimestamp"] != nil {
            throw APIFailure.forbidden(
                info.resource,
                name,
                "unable to create new content in namespace \(namespace) because it is being terminated"
            )
        }
    }

    // MARK: Checks

    func invalid(_ object: JSONValue, _ info: ResourceInfo, _ causes: [APIFailure.Cause]) -> APIFailure {
        .invalid(kind: info.kind, group: info.group, name: object.metadataString("name"), causes)
    }

    /// Types and names of fields; returns the object without fields that nobody declared where that was asked for.
    func checkFields(
        _ object: JSONValue,
        info: ResourceInfo,
        options: WriteOptions,
        warnings: inout [String]
    ) throws -> JSONValue {
        let faults = info.schema.check(object)
        var object = object
        if !faults.unknown.isEmpty {
            let list = faults.unknown.map { "unknown field \"\($0)\"" }
            switch options.fieldValidation ?? (info.isCustom ? .strict : .warn) {
            case .strict:
                throw APIFailure.badRequest(
                    "\(info.kind) in version \"\(info.version)\" cannot be handled as a \(info.kind): "
                        + "strict decoding error: \(list.joined(separator: ", "))"
                )
            case .warn: warnings += list
            case .ignore: ()
            }
            object = info.schema.pruned(object)
        }
        if !faults.causes.isEmpty { throw self.invalid(object, info, faults.causes) }
        return object
    }

    /// Rules about names and values, after defaults and admission.
    func checkRules(_ object: JSONValue, info: ResourceInfo) throws {
        if object.metadataString("name").isEmpty {
            throw self.invalid(object, info, [.required("metadata.name", "name or generateName is required")])
        }
        let causes =
            BuiltinValidation.metadata(object, info: info)
            + (info.isCustom ? [] : BuiltinValidation.causes(object, info: info))
        if !causes.isEmpty { throw self.invalid(object, info, causes) }
    }

    /// Service account admission and webhooks, for pods being created; other kinds only see webhooks.
    private func admit(
        _ object: JSONValue,
        info: ResourceInfo,
        namespace: String?,
        options: WriteOptions,
        warnings: inout [String]
    ) async throws -> JSONValue {
        var object = object
        let isPod = info.storageResource == Self.pods
        if isPod { try PodAdmission.apply(to: &object, store: self.store) }
        let review = AdmissionWebhooks.Review(
            info: info,
            operation: "CREATE",
            namespace: namespace,
            object: object,
            oldObject: nil,
            options: options
        )
        let admitted = try await self.admission.admit(review)
        warnings += admitted.warnings
        guard admitted.object != object else { return object }
        object = admitted.object
        let faults = info.schema.check(object)
        if !faults.causes.isEmpty { throw self.invalid(object, info, faults.causes) }
        Defaults.apply(to: &object, info: info)
        if isPod { try PodAdmission.apply(to: &object, store: self.store) }
        return object
    }

    private func setInitialStatus(_ object: inout JSONValue, info: ResourceInfo) {
        switch info.storageResource {
        case Self.pods:
            object.set(
                "status",
                ["phase": "Pending", "qosClass": .string(PodAdmission.qualityOfService(object["spec"] ?? .null))]
            )
        case Self.namespaces: object.set("status", ["phase": "Active"])
        case Self.services: object.set("status", ["loadBalancer": .object([:])])
        case Self.definitions: object.set("status", CustomDefinitions.status(of: object))
        case GroupResource(group: "apps", resource: "deployments"),
            GroupResource(group: "apps", resource: "replicasets"):
            object.set("status", object.at("metadata", "none") ?? .object([:]))
        default: ()
        }
    }

    /// What every namespace has from its first moment.
    func namespaceContents(_ namespace: String) -> [(StoreKey, JSONValue)] {
        func object(_ kind: String, _ name: String, _ extra: [String: JSONValue] = [:]) -> JSONValue {
            .object(
                [
                    "apiVersion": "v1", "kind": .string(kind),
                    "metadata": [
                        "name": .string(name), "namespace": .string(namespace), "creationTimestamp": Self.now(),
                        "uid": .string(UUID().uuidString.lowercased()),
                    ],
                ].merging(extra) { $1 }
            )
        }
        return [
            (
                StoreKey(
                    resource: GroupResource(group: "", resource: "serviceaccounts"),
                    namespace: namespace,
                    name: "default"
                ),
                object("ServiceAccount", "default")
            ),
            (
                StoreKey(
                    resource: GroupResource(group: "", resource: "configmaps"),
                    namespace: namespace,
                    name: "kube-root-ca.crt"
                ),
                object("ConfigMap", "kube-root-ca.crt", ["data": ["ca.crt": .string(self.caPEM)]])
            ),
        ]
    }
}
