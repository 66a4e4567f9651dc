import KubernetesAPI
import Logging
import PolicyEngine
import Synchronization

/// A process around handlers: a clock that stands still until it is moved, and lines that were written.
final class TestEnvironment: Sendable {
    private struct State {
        var now: Duration = .seconds(1000)
        var lines: [String] = []
        var pages: [String: String] = [:]
        var chances: [UInt64] = []
    }

    private let state = Mutex(State())

    var lines: [String] { self.state.withLock { $0.lines } }

    func advance(_ duration: Duration) { self.state.withLock { $0.now += duration } }

    func serve(_ text: String?, at url: String) { self.state.withLock { $0.pages[url] = text } }

    /// What chance gives next, and 0 when these are used up.
    func expect(_ chances: [UInt64]) { self.state.withLock { $0.chances = chances } }

    let metrics = MetricsRegistry()
    private let pods: [KubernetesObject]?

    /// - Parameter pods: those of the cluster; `nil`: there is none.
    init(pods: [KubernetesObject]? = nil) { self.pods = pods }

    private static func follow(_ pods: [KubernetesObject]) -> AdapterEnvironment.Follow {
        { _, onChange in await onChange(.replacedAll(pods)) }
    }

    var environment: AdapterEnvironment {
        AdapterEnvironment(
            now: { self.state.withLock { $0.now } },
            write: { line in self.state.withLock { $0.lines.append(line) } },
            fetch: { url, _ in
                guard let page = self.state.withLock({ $0.pages[url] }) else {
                    throw PolicyStatus(.unavailable, "no such page")
                }
                return page
            },
            metrics: self.metrics,
            follow: self.pods.map(Self.follow),
            random: { self.state.withLock { $0.chances.isEmpty ? 0 : $0.chances.removeFirst() } }
        )
    }
}

/// An object of `config.istio.io`.
func policyObject(
    _ kind: String,
    _ name: String,
    namespace: String = "istio-system",
    _ spec: JSONValue
) -> KubernetesObject {
    KubernetesObject(
        json: [
            "apiVersion": "config.istio.io/v1alpha2", "kind": .string(kind),
            "metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": spec,
        ]
    )
}

extension PolicyDispatcher {
    /// A dispatcher for objects, in `environment`.
    static func of(
        _ objects: [KubernetesObject],
        in environment: TestEnvironment = TestEnvironment(),
        after previous: PolicyConfiguration = .empty
    ) -> PolicyDispatcher {
        var builder = ConfigurationBuilder(environment: environment.environment)
        builder.previous = previous
        return PolicyDispatcher(builder.build(objects), logger: Logger(label: "test"))
    }
}

/// A bag of the built-in vocabulary.
func request(_ values: [String: AttributeValue]) -> AttributeBag {
    var bag = AttributeBag(AttributeVocabulary.standard)
    for (name, value) in values {
        if let slot = AttributeVocabulary.standard.slot(of: name) { bag[slot] = value }
    }
    return bag
}
