package import KubernetesAPI
internal import Synchronization

/// Makes a configuration of objects of `config.istio.io`. What is wrong becomes a diagnosis and is left out.
package struct ConfigurationBuilder: Sendable {
    /// The namespace whose rules hold for requests of every namespace.
    package var rootNamespace = "istio-system"
    package var adapters = AdapterKind.standard
    package var templates = TemplateSchema.standard
    package var environment: AdapterEnvironment
    /// Handlers whose settings have not changed go on, with what they remember.
    package var previous = PolicyConfiguration.empty

    package init(environment: AdapterEnvironment) { self.environment = environment }

    package static let group = "config.istio.io"

    /// Whether an object is of a kind that counts here.
    package func concerns(_ object: KubernetesObject) -> Bool {
        if object.group == PolicyKinds.rolesGroup {
            return self.adapters.values.contains { $0.objectKinds.contains(object.kind) }
        }
        return object.group == Self.group
            && (["rule", "handler", "instance", "adapter", "template", ManifestReader.kind].contains(object.kind)
                || self.adapters[object.kind] != nil || self.templates[object.kind] != nil)
    }

    package func build(_ objects: [KubernetesObject]) -> PolicyConfiguration {
        var work = ConfigurationWork(settings: self)
        let sorted = objects.filter(self.concerns).sorted { ($0.kind, $0.key) < ($1.kind, $1.key) }
        let own = sorted.filter { $0.group == Self.group }
        work.objects = sorted.filter { $0.group != Self.group }
        work.readManifests(own)
        work.readOutsideTemplates(own)
        work.readOutsideAdapters(own)
        work.readInstances(own)
        work.readHandlers(own)
        work.readRules(own)
        work.makeHandlers()
        return work.configuration
    }
}

/// One run of the builder.
struct ConfigurationWork {
    struct HandlerDraft {
        var object: KubernetesObject
        var adapter: AdapterKind
        var settings: JSONValue
        var settingsPath: String
        var kinds: [String]
    }

    let settings: ConfigurationBuilder
    var vocabulary = AttributeVocabulary.standard
    /// Templates and adapters that objects define; `nil`: there is such an object, with a mistake in it.
    var outsideTemplates: [HandlerName: OutsideTemplate?] = [:]
    var outsideAdapters: [HandlerName: AdapterKind?] = [:]
    var instances: [CompiledInstance] = []
    var drafts: [HandlerName: HandlerDraft] = [:]
    var rules: [String: [PolicyRule]] = [:]
    var handlers: [HandlerName: PolicyConfiguration.Handler] = [:]
    var diagnoses: [PolicyDiagnosis] = []
    /// Objects that are for handlers themselves.
    var objects: [KubernetesObject] = []

    init(settings: ConfigurationBuilder) { self.settings = settings }

    var configuration: PolicyConfiguration {
        PolicyConfiguration(
            vocabulary: self.vocabulary,
            handlers: self.handlers,
            rules: self.rules,
            rootNamespace: self.settings.rootNamespace,
            diagnoses: self.diagnoses,
            metrics: self.settings.environment.metrics
        )
    }

    mutating func diagnose(
        _ object: KubernetesObject,
        _ field: String,
        _ message: String,
        cause: PolicyDiagnosis.Cause = .object
    ) {
        self.diagnoses.append(PolicyDiagnosis(object, field: field, message: message, cause: cause))
    }

    mutating func readManifests(_ objects: [KubernetesObject]) {
        var reader = ManifestReader()
        for manifest in objects where ManifestReader.isManifest(manifest) { reader.add(manifest) }
        self.vocabulary = reader.vocabulary
        self.diagnoses += reader.diagnoses
    }

    mutating func readInstances(_ objects: [KubernetesObject]) {
        for object in objects {
            var schema = self.settings.templates[object.kind]
            var params = object.spec
            var field = "spec"
            if object.kind == "instance" {
                guard let found = self.schema(object) else { continue }
                schema = found
                params = object.spec["params"] ?? .null
                field = "spec.params"
            }
            guard let schema else { continue }
            var isBroken = false
            var found: [PolicyDiagnosis] = []
            let instance = CompiledInstance(
                name: object.name,
                namespace: object.namespace ?? "default",
                schema: schema,
                params: params,
                bindings: object.spec.member("attributeBindings"),
                vocabulary: self.vocabulary
            ) { path, message in
                isBroken = true
                let place = path.hasPrefix("params") ? field + path.dropFirst("params".count) : "spec.\(path)"
                found.append(PolicyDiagnosis(object, field: place, message: message))
            }
            self.diagnoses += found
            if !isBroken { self.instances.append(instance) }
        }
    }

    mutating func readHandlers(_ objects: [KubernetesObject]) {
        for object in objects {
            var adapter = self.settings.adapters[object.kind]
            var settings = object.spec
            var path = "spec"
            if object.kind == "handler" {
                guard let found = self.adapter(object) else { continue }
                (adapter, settings, path) = found
            }
            guard let adapter else { continue }
            let name = HandlerName(name: object.name, namespace: object.namespace ?? "default")
            if let other = self.drafts[name] {
                self.diagnose(
                    object,
                    "metadata.name",
                    "is that of \(other.object), too, which counts",
                    cause: .others
                )
                continue
            }
            self.drafts[name] = HandlerDraft(
                object: object,
                adapter: adapter,
                settings: settings,
                settingsPath: path,
                kinds: ["handler", adapter.name]
            )
        }
    }

    /// Makes the handlers that rules use; the others are checked as well.
    mutating func makeHandlers() {
        for (name, draft) in self.drafts.sorted(by: { $0.key.description < $1.key.description }) {
            let used = self.rules.values.joined().flatMap { $0.dispatches.values.joined() }
                .filter { $0.handler == name }
                .map(\.instance)
            let instances = Dictionary(used.map { ("\($0.namespace)/\($0.name)", $0) }, uniquingKeysWith: { $1 })
                .sorted { $0.key < $1.key }
            let objects = self.objects.filter { draft.adapter.objectKinds.contains($0.kind) }
            let keys = instances.map { "\($0.key) \($0.value.outside?.inferredType ?? [])" }
            let identity =
                "\(draft.adapter.identity) \(draft.settings.text()) \(keys)"
                + objects.map { " \($0.key) \($0.spec.text())" }.joined()
            // A broken one is looked at again: its mistakes must not be forgotten, and files may be there now.
            if let previous = self.settings.previous.handlers[name], previous.identity == identity,
                !(previous.handler is BrokenHandler)
            {
                self.handlers[name] = previous
                self.diagnoses += previous.diagnoses
                continue
            }
            let reader = SettingsReader(draft.settings, path: draft.settingsPath)
            let found = Mutex<[PolicyDiagnosis]>([])
            let context = AdapterKind.Context(
                handler: name.description,
                namespace: name.namespace,
                instances: instances.map(\.value),
                environment: self.settings.environment,
                objects: objects,
                report: { object, field, message in
                    found.withLock { $0.append(PolicyDiagnosis(object, field: field, message: message)) }
                }
            )
            let handler = draft.adapter.make(reader, context)
            let mistakes = reader.mistakes
            let diagnoses =
                mistakes.map { PolicyDiagnosis(draft.object, field: $0.field, message: $0.message, cause: $0.cause) }
                + found.withLock { $0 }
            self.diagnoses += diagnoses
            // A handler that is misunderstood must not decide; what it was asked is answered with a refusal.
            self.handlers[name] = PolicyConfiguration.Handler(
                name: name,
                identity: identity,
                adapter: draft.adapter.name,
                handler: mistakes.isEmpty ? handler : BrokenHandler(reason: mistakes[0].message),
                diagnoses: diagnoses
            )
        }
    }
}

extension JSONValue {
    /// A member under its camelCase or snake_case name.
    func member(_ name: String) -> JSONValue? {
        if let value = self[name], !value.isNull { return value }
        let value = self[Self.snakeCase(name)]
        return value?.isNull == true ? nil : value
    }

    /// `sourceUid` as `source_uid`.
    static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}

/// Stands for a handler whose settings are wrong: it fails whatever it is asked.
struct BrokenHandler: PolicyHandler {
    let reason: String

    func check(_ instance: InstanceData) async throws -> CheckResult { throw self.failure }
    func report(_ instances: [InstanceData]) async throws { throw self.failure }
    func quota(_ instance: InstanceData, _ request: QuotaRequest) async throws -> QuotaResult { throw self.failure }
    func attributes(_ instance: InstanceData) async throws -> [String: AttributeValue] { throw self.failure }

    private var failure: PolicyStatus { PolicyStatus(.unavailable, "its settings are wrong: \(self.reason)") }
}
