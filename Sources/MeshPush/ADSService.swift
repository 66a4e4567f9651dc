package import GRPCCore
package import Logging
package import XDSAPI

/// The aggregated discovery service: all kinds of resource on one stream of each proxy.
package struct ADSService: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.SimpleServiceProtocol {
    private let server: PushServer
    private let logger: Logger

    package init(server: PushServer, logger: Logger) {
        self.server = server
        self.logger = logger
    }

    package func streamAggregatedResources(
        request: RPCAsyncSequence<Envoy_Service_Discovery_V3_DiscoveryRequest, any Error>,
        response: RPCWriter<Envoy_Service_Discovery_V3_DiscoveryResponse>,
        context: ServerContext
    ) async throws {
        try await withTaskCancellationOrShutdown(context) {
            try await ProxyStream.serve(request, server: self.server, logger: self.logger) {
                try await response.write($0)
            }
        }
    }

    package func deltaAggregatedResources(
        request: RPCAsyncSequence<Envoy_Service_Discovery_V3_DeltaDiscoveryRequest, any Error>,
        response: RPCWriter<Envoy_Service_Discovery_V3_DeltaDiscoveryResponse>,
        context: ServerContext
    ) async throws {
        throw RPCError(code: .unimplemented, message: "delta xDS is not offered; use the state-of-the-world stream")
    }
}

/// Ends `body` when the server shuts down: a proxy's stream would otherwise last for ever.
private func withTaskCancellationOrShutdown(
    _ context: ServerContext,
    _ body: @escaping @Sendable () async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await context.cancellation.cancelled
            throw RPCError(code: .unavailable, message: "the control plane is shutting down")
        }
        defer { group.cancelAll() }
        try await group.next()
    }
}
