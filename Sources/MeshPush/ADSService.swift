package import GRPCCore
package import Logging
import MeshModel
package import XDSAPI

/// The aggregated discovery service: all kinds of resource on one stream of each proxy.
package struct ADSService: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.ServiceProtocol {
    private let server: PushServer
    private let authenticator: (any PeerAuthenticator)?
    private let logger: Logger

    /// Serves `server`'s state; several services, on ports of their own, may share one.
    ///
    /// - Parameters:
    ///   - server: what there is to push.
    ///   - authenticator: must recognize every peer; `nil`: all may come, and none is trusted with a secret.
    ///   - logger: of the server.
    package init(server: PushServer, authenticator: (any PeerAuthenticator)? = nil, logger: Logger) {
        self.server = server
        self.authenticator = authenticator
        self.logger = logger
    }

    package func streamAggregatedResources(
        request: StreamingServerRequest<Envoy_Service_Discovery_V3_DiscoveryRequest>,
        context: ServerContext
    ) async throws -> StreamingServerResponse<Envoy_Service_Discovery_V3_DiscoveryResponse> {
        let peer = try await self.peer(request.metadata, context)
        return StreamingServerResponse { response in
            try await withTaskCancellationOrShutdown(context) {
                try await ProxyStream.serve(
                    request.messages,
                    peer: peer,
                    server: self.server,
                    logger: self.logger
                ) { try await response.write($0) }
            }
            return [:]
        }
    }

    package func deltaAggregatedResources(
        request: StreamingServerRequest<Envoy_Service_Discovery_V3_DeltaDiscoveryRequest>,
        context: ServerContext
    ) async throws -> StreamingServerResponse<Envoy_Service_Discovery_V3_DeltaDiscoveryResponse> {
        throw RPCError(code: .unimplemented, message: "delta xDS is not offered; use the state-of-the-world stream")
    }

    private func peer(_ metadata: Metadata, _ context: ServerContext) async throws -> ProvenPeer? {
        guard let authenticator = self.authenticator else { return nil }
        guard let peer = try await authenticator.peer(metadata: metadata, context: context) else {
            throw RPCError(code: .unauthenticated, message: "the peer did not prove who it is")
        }
        return peer
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
