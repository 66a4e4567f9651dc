import Logging
import MeshModel
import Synchronization

/// Writes findings about objects into the log, each once for as long as it holds.
final class DiagnosisReporter: Sendable {
    private let logger: Logger
    private let known = Mutex<Set<Diagnosis>>([])

    /// More findings than anybody reads at once; all of them stand in `/debug/configz`.
    private static let reportedMax = 20

    init(logger: Logger) { self.logger = logger }

    func report(_ snapshot: MeshSnapshot) {
        let current = Set(snapshot.diagnoses)
        let news = self.known.withLock { known in
            defer { known = current }
            return snapshot.diagnoses.filter { !known.contains($0) }
        }
        for diagnosis in news.prefix(Self.reportedMax) {
            self.logger.log(
                level: diagnosis.severity == .error ? .warning : .info,
                "configuration has a mistake",
                metadata: [
                    "object": "\(diagnosis.object)", "field": "\(diagnosis.field)", "problem": "\(diagnosis.message)",
                ]
            )
        }
    }
}
