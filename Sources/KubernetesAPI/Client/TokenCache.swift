internal import Foundation
import Synchronization

/// The bearer token, read again from its file once a minute.
final class TokenCache: Sendable {
    private struct Known {
        var token: String
        var readAt: ContinuousClock.Instant
    }

    private static let ageMax: Duration = .seconds(60)

    private let source: ClientConfiguration.Token?
    private let known = Mutex<Known?>(nil)

    init(source: ClientConfiguration.Token?) { self.source = source }

    /// The token to send now; keeps the last one if the file cannot be read for a moment.
    func current(now: ContinuousClock.Instant = .now) throws -> String? {
        switch self.source {
        case nil: return nil
        case .fixed(let token): return token
        case .file(let path):
            let cached = self.known.withLock { $0 }
            if let cached, now - cached.readAt < Self.ageMax { return cached.token }
            guard let data = FileManager.default.contents(atPath: path) else {
                if let cached { return cached.token }
                throw ClientConfigurationError(description: "cannot read the token file \(path)")
            }
            let token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            self.known.withLock { $0 = Known(token: token, readAt: now) }
            return token
        }
    }
}
