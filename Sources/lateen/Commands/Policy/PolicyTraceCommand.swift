import ArgumentParser
import Foundation
import KubernetesAPI
import Logging
import PolicyEngine

/// Shows how the policy engine decides about a request.
struct PolicyTraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Show how the policy engine decides about a request, and what proxies have kept of its answers.",
        discussion: """
            Three ways:

              lateen policy trace --from deploy/sleep http://productpage:9080/productpage
                  follows the request from a pod: which proxy asks, what it would say of
                  the request, whether an earlier answer holds there (and which attributes
                  it hangs on), whether the engine can be reached, and how the engine
                  decides; tcp://HOST:PORT is a connection, and so is whatever proxies
                  pass on as bytes
              lateen policy trace --attributes request.json
                  asks the engine of the mesh about these attributes (as of
                  lateen policy eval)
              lateen policy trace --attributes request.json --config policies/
                  offline: with the objects in these files

            A trace changes nothing: nothing is taken from quotas, nothing reported, no kept answer used up. Handlers \
            inside the engine are asked for their answers. Adapters that are processes of their own are not, because a \
            question may move them to act, as one that starts pods does; --ask-adapters asks them as a request would. \
            Offline no handler runs: one that fetches lists or keeps connections fails what it is asked.

            Exit code: 0 if it would pass, 3 if it would be refused, 4 if that cannot be told, because an adapter was \
            not asked or the engine not found.
            """
    )

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: ArgumentHelp("Who would send it.", valueName: "pod[.namespace]|deploy/name"))
    var from: String?

    @Argument(help: "http://HOST[:PORT][/PATH], or tcp://HOST:PORT")
    var url: String?

    @Option(name: .shortAndLong, help: "The pod's namespace.")
    var namespace = "default"

    @Option(name: [.customShort("X"), .long], help: "The request's method.")
    var method = "GET"

    @Option(name: [.customShort("H"), .long], help: ArgumentHelp("A header.", valueName: "name: value"))
    var header: [String] = []

    @Option(help: ArgumentHelp("Attributes in place of a request; '-' reads standard input.", valueName: "file"))
    var attributes: String?

    @Option(help: ArgumentHelp("Folders or files with objects (YAML), in place of the engine's.", valueName: "path"))
    var config: [String] = []

    @Option(help: ArgumentHelp("The engine's pod, for --attributes.", valueName: "pod[.namespace]|deploy/name"))
    var engine = "deploy/istio-policy"

    @Flag(help: "Ask adapters that are processes of their own, too.")
    var askAdapters = false

    @Flag(name: .shortAndLong, help: "Print all attributes, and what each condition looked at.")
    var verbose = false

    @Option(name: .shortAndLong, help: "text or json.")
    var output = Format.text

    @Option(help: "The namespace of the control plane and the engine, whose rules are for all.")
    var istioNamespace = "istio-system"

    func validate() throws {
        switch (self.from, self.attributes) {
        case (nil, nil), (.some, .some):
            throw ValidationError("name a pod and a URL (--from POD URL), or a file with --attributes")
        case (.some, nil):
            guard self.url != nil else { throw ValidationError("the URL is missing: --from POD URL") }
            guard self.config.isEmpty else { throw ValidationError("--config goes with --attributes") }
        case (nil, .some):
            guard self.url == nil, self.header.isEmpty else {
                throw ValidationError("--attributes says all of the request; a URL or headers go with --from")
            }
            guard self.config.isEmpty || !self.askAdapters else {
                throw ValidationError("--ask-adapters needs a running engine; leave out --config")
            }
        }
    }

    func run() async throws {
        if let from {
            return try PolicyTraceWalk(
                kubectl: Kubectl(),
                istioNamespace: self.istioNamespace,
                asksAdapters: self.askAdapters,
                isVerbose: self.verbose
            ).run(from: from, namespace: self.namespace, self.query, asJSON: self.output == .json)
        }
        let document = try AttributeFile.value(self.attributes ?? "-")
        let trace = try await self.trace(document.isNull ? [:] : document)
        switch self.output {
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(trace), as: UTF8.self))
        case .text: print(trace.text(isDetailed: self.verbose), terminator: "")
        }
        if let code = trace.verdict.exitCode { throw code }
    }

    /// Of the control plane's page that follows requests.
    private var query: [URLQueryItem] {
        [URLQueryItem(name: "url", value: self.url), URLQueryItem(name: "method", value: self.method)]
            + self.header.map { URLQueryItem(name: "header", value: $0) }
    }

    private func trace(_ attributes: JSONValue) async throws -> PolicyTrace {
        guard !self.config.isEmpty else {
            let kubectl = Kubectl()
            let (target, namespace) = ProxyConfig.Options.target(self.engine, self.istioNamespace)
            let pod = try kubectl.pod(of: target, namespace: namespace)
            return try EngineInspector(kubectl: kubectl)
                .trace(attributes, pod: pod, namespace: namespace, asksAdapters: self.askAdapters)
        }
        return try await self.offlineTrace(attributes)
    }

    private func offlineTrace(_ attributes: JSONValue) async throws -> PolicyTrace {
        let start = ContinuousClock.now
        var builder = ConfigurationBuilder(
            environment: AdapterEnvironment(
                now: { ContinuousClock.now - start },
                write: { _ in },
                fetch: { url, _ in throw PolicyStatus(.unavailable, "\(url) is not fetched offline") }
            )
        )
        builder.rootNamespace = self.istioNamespace
        let configuration: PolicyConfiguration
        do {
            configuration = builder.build(try ObjectFiles(self.config).objects())
        } catch {
            throw AttributeFile.ended(2, "\(error)")
        }
        let question: TraceQuestion
        do throws(AttributeDocument.Mistake) {
            question = try TraceQuestion(
                TraceQuestion.text(attributes: attributes, asksAdapters: false).utf8,
                vocabulary: configuration.vocabulary
            )
        } catch {
            throw AttributeFile.ended(2, "\(self.attributes ?? "-"): \(error)")
        }
        // Handlers' failures stand in the trace.
        let logger = Logger(label: "lateen") { _ in SwiftLogNoOpLogHandler() }
        var trace = await PolicyDispatcher(configuration, logger: logger).trace(question.bag, asksOutside: false)
        trace.unknown = question.unknown
        return trace
    }
}

extension PolicyTraceVerdict {
    /// `nil`: it would pass.
    var exitCode: ExitCode? {
        switch self {
        case .passes: nil
        case .refused: ExitCode(3)
        case .open: ExitCode(4)
        }
    }
}
