internal import AsyncHTTPClient
package import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// Fetches key sets over HTTP and HTTPS. Call ``shutdown()`` when done.
package final class KeyFetcher: Sendable {
    private enum State {
        /// A client has threads and memory that a proxy without tokens does without.
        case unused
        case used(HTTPClient)
        case ended
    }

    private let state = Mutex(State.unused)
    private let logger: Logger

    package init(logger: Logger) { self.logger = logger }

    private func client() throws -> HTTPClient {
        try self.state.withLock { state in
            switch state {
            case .used(let client): return client
            case .ended: throw KeyFetchError(message: "the proxy is ending")
            case .unused:
                var settings = HTTPClient.Configuration()
                settings.timeout.connect = .seconds(5)
                settings.redirectConfiguration = .follow(max: 3, allowCycles: false)
                settings.connectionPool.retryConnectionEstablishment = false
                let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
                state = .used(client)
                return client
            }
        }
    }

    /// What an address holds, at most ``KeySet/bytesMax``.
    package func fetch(_ uri: String, timeout: Duration) async throws -> [UInt8] {
        let request = HTTPClientRequest(url: uri)
        let response = try await self.client().execute(request, timeout: TimeAmount(timeout), logger: self.logger)
        guard response.status.code == 200 else { throw KeyFetchError(message: "\(uri) answers \(response.status)") }
        return Array(buffer: try await response.body.collect(upTo: KeySet.bytesMax))
    }

    package func shutdown() async {
        let last = self.state.withLock { state in
            defer { state = .ended }
            return if case .used(let client) = state { client } else { nil as HTTPClient? }
        }
        do {
            try await last?.shutdown()
        } catch {
            self.logger.debug("client already shut down", metadata: ["error": "\(error)"])
        }
    }
}

/// Keys were not where they should be.
struct KeyFetchError: Error, CustomStringConvertible {
    var message: String
    var description: String { self.message }
}
