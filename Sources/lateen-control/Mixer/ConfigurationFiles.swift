import Foundation
import KubernetesAPI
import Logging
import PolicyEngine

/// Objects in files: read at the start, and again when a file changes.
struct ConfigurationFiles: Sendable {
    let files: ObjectFiles
    let builder: ConfigurationBuilder
    let logger: Logger

    /// Reads all files; throws if one cannot be read or is no YAML.
    func read(previous: PolicyConfiguration = .empty) throws -> PolicyConfiguration {
        var builder = self.builder
        builder.previous = previous
        return builder.build(try self.files.objects())
    }

    /// Looks once a second whether files have changed, until cancelled. Files that cannot be read leave in force what
    /// was.
    func follow(
        after first: PolicyConfiguration,
        of state: [ObjectFiles.Fingerprint],
        onConfiguration: @Sendable (PolicyConfiguration) -> Void
    ) async {
        var configuration = first
        var seen = state
        while true {
            do {
                try await Task.sleep(for: .seconds(1))
            } catch {
                return
            }
            do {
                let fingerprints = try self.files.fingerprints()
                defer { seen = fingerprints }
                guard fingerprints != seen else { continue }
                configuration = try self.read(previous: configuration)
                onConfiguration(configuration)
            } catch {
                self.logger.error("configuration not read, the last one stays", metadata: ["error": "\(error)"])
            }
        }
    }
}
