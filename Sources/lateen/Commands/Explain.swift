import ArgumentParser
import Foundation
import KubernetesAPI

/// Says why something is as it is.
struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say which way a request would take, and why it would be blocked.",
        subcommands: [RequestExplanation.self]
    )

    struct RequestExplanation: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "request",
            abstract: "Follow a request from a pod through every proxy, without sending it.",
            discussion: """
                Each step names what decided it: the answer to the name, listener, filter chain, TLS, policies, route,
                cluster and endpoint, with the object that says so and its resourceVersion. If the request would be
                blocked, the smallest object that would let it through is printed as well. Rules of the policy engine that
                may change the route while it is on its way are named, and not followed.

                  lateen explain request --from deploy/sleep http://edition.cnn.com/politics
                  lateen explain request --from sleep-0.default https://example.com -o json

                Exit code: 0 if it would pass, 3 if not.
                """
        )

        enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

        @Option(help: ArgumentHelp("Who would send it.", valueName: "pod[.namespace]|deploy/name"))
        var from: String

        @Argument(help: "http://HOST[:PORT][/PATH], https://…, or tcp://HOST:PORT.")
        var url: String

        @Option(name: .shortAndLong, help: "The pod's namespace.")
        var namespace = "default"

        @Option(help: "The request's method.")
        var method = "GET"

        @Option(name: [.customShort("H"), .long], help: ArgumentHelp("A header.", valueName: "name: value"))
        var header: [String] = []

        @Option(name: .shortAndLong, help: "text or json.")
        var output = Format.text

        @Option(help: "The namespace of the control plane.")
        var istioNamespace = "istio-system"

        func run() throws {
            let kubectl = Kubectl()
            let (target, namespace) = ProxyConfig.Options.target(self.from, self.namespace)
            let pod = try kubectl.pod(of: target, namespace: namespace)
            var query = URLComponents()
            query.path = "debug/explain"
            query.queryItems =
                [
                    URLQueryItem(name: "pod", value: "\(namespace)/\(pod)"), URLQueryItem(name: "url", value: self.url),
                    URLQueryItem(name: "method", value: self.method),
                ] + self.header.map { URLQueryItem(name: "header", value: $0) }
            // `+` means a space to those who read forms.
            let path = (query.string ?? "").replacingOccurrences(of: "+", with: "%2B")
            let data = try kubectl.exec(
                "deploy/istiod",
                namespace: self.istioNamespace,
                container: "discovery",
                ["lateen-control", "request", path]
            )
            let page = try JSONValue.parse(data)
            let changes = RouteChangesReport(
                page["explanation"] ?? .null,
                from: "\(namespace)/\(pod)",
                rootNamespace: self.istioNamespace,
                kubectl: kubectl
            )
            switch self.output {
            case .json: print(changes.added(to: page["explanation"] ?? .null).text(pretty: true))
            case .text: print((page["text"]?.string ?? "") + changes.text, terminator: "")
            }
            if page[path: "explanation", "isAllowed"]?.bool == false { throw ExitCode(3) }
        }
    }
}
