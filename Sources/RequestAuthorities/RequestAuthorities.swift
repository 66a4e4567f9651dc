package import Logging
package import ProxyRuntime

/// Who a proxy asks about requests: issuers of tokens for their keys, authorization services, and the
/// policy engine.
///
/// Nothing is opened before a policy needs it.
package final class RequestAuthorities: Sendable {
    package let tokens: TokenVerifier
    package let services: AuthorizationClient
    package let mixer: MixerClient
    private let fetcher: KeyFetcher

    /// - Parameters:
    ///   - connector: opens connections as the clusters of services say.
    ///   - logger: for what goes wrong.
    package init(connector: ServiceConnector, logger: Logger) {
        let fetcher = KeyFetcher(logger: logger)
        self.fetcher = fetcher
        self.tokens = TokenVerifier(logger: logger) { try await fetcher.fetch($0, timeout: $1) }
        self.services = AuthorizationClient(connector: connector, logger: logger)
        self.mixer = MixerClient(connector: connector, logger: logger)
    }

    /// Asks until it is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.tokens.run() }
            group.addTask { await self.services.run() }
            group.addTask { await self.mixer.run() }
        }
        await self.fetcher.shutdown()
    }
}
