import ArgumentParser
import Foundation
import SidecarInjection

/// Adds sidecars to manifests, for clusters or namespaces without the webhook.
struct KubeInject: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kube-inject",
        abstract: "Add the sidecar to the pods of a manifest and print it.",
        discussion: "Example: lateen kube-inject -f sleep.yaml | kubectl apply -f -"
    )

    @Option(name: [.short, .customLong("filename")], help: "The manifest; '-' reads standard input.")
    var filename: String

    @Option(name: [.short, .customLong("output")], help: "Write to this file instead of standard output.")
    var output: String?

    @Option(help: "Where injected proxies find the control plane.")
    var discoveryAddress = InjectionSettings().discoveryAddress

    @Option(help: "The image of injected sidecars.")
    var proxyImage = InjectionSettings().image

    func run() throws {
        let data: Data
        if self.filename == "-" {
            data = try FileHandle.standardInput.readToEnd() ?? Data()
        } else {
            guard let content = FileManager.default.contents(atPath: self.filename) else {
                throw CommandFailure(description: "cannot read \(self.filename)")
            }
            data = content
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw CommandFailure(description: "\(self.filename) is not UTF-8")
        }
        var settings = InjectionSettings()
        settings.discoveryAddress = self.discoveryAddress
        settings.image = self.proxyImage
        let injected: String
        do {
            injected = try ManifestInjector(SidecarInjector(settings: settings))
                .inject(text, file: self.filename == "-" ? "<standard input>" : self.filename)
        } catch {
            throw CommandFailure(description: error.description)
        }
        if let output = self.output {
            try Data(injected.utf8).write(to: URL(fileURLWithPath: output), options: .atomic)
        } else {
            FileHandle.standardOutput.write(Data(injected.utf8))
        }
    }
}
