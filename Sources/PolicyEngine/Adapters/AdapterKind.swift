package import KubernetesAPI

/// An adapter of the engine: its name, the templates that it takes, and how a handler is made of settings.
package struct AdapterKind: Sendable {
    /// What a handler gets besides its settings.
    package struct Context: Sendable {
        /// The handler's name, `NAME.NAMESPACE`.
        package var handler: String
        package var namespace: String
        /// The instances that rules send to it.
        package var instances: [CompiledInstance]
        package var environment: AdapterEnvironment
        /// The objects of the adapter's kinds.
        package var objects: [KubernetesObject] = []
        /// Tells people of a mistake in one of them.
        package var report: @Sendable (_ object: KubernetesObject, _ field: String, _ message: String) -> Void = {
            _,
            _,
            _ in
        }
    }

    package var name: String
    package var templates: Set<String>
    /// Tells it from another of the same name: handlers of an adapter that has changed are made anew.
    package var identity: String
    /// Kinds of further objects that it reads.
    package var objectKinds: Set<String>
    package var make: @Sendable (_ settings: SettingsReader, _ context: Context) -> any PolicyHandler

    package init(
        _ name: String,
        templates: Set<String>,
        identity: String? = nil,
        objectKinds: Set<String> = [],
        make: @escaping @Sendable (_ settings: SettingsReader, _ context: Context) -> any PolicyHandler
    ) {
        self.name = name
        self.templates = templates
        self.identity = identity ?? name
        self.objectKinds = objectKinds
        self.make = make
    }
}

/// What handlers use of the process around them.
package struct AdapterEnvironment: Sendable {
    /// Since some moment in the past.
    package var now: @Sendable () -> Duration
    /// Writes a line to the process's output.
    package var write: @Sendable (_ line: String) -> Void
    /// The text at a URL, unless it has more bytes than the second argument.
    package var fetch: @Sendable (_ url: String, _ bytesMax: Int) async throws -> String
    package var metrics: MetricsRegistry
    /// Tells of all objects of a type and their changes, until the task is cancelled; `nil`: there is no cluster.
    package typealias Follow = @Sendable (ResourceType, @escaping @Sendable (ObjectChange) async -> Void) async -> Void
    package var follow: Follow?
    /// Chance, for samples.
    package var random: @Sendable () -> UInt64

    package init(
        now: @escaping @Sendable () -> Duration,
        write: @escaping @Sendable (_ line: String) -> Void,
        fetch: @escaping @Sendable (_ url: String, _ bytesMax: Int) async throws -> String,
        metrics: MetricsRegistry = MetricsRegistry(),
        follow: Follow? = nil,
        random: @escaping @Sendable () -> UInt64 = { .random(in: .min ... .max) }
    ) {
        self.now = now
        self.write = write
        self.fetch = fetch
        self.metrics = metrics
        self.follow = follow
        self.random = random
    }
}
