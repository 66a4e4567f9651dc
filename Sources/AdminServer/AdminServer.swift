package import Logging
internal import MeshModel
internal import NIOCore
internal import NIOHTTP1
package import NIOPosix
package import TrafficEngine

/// The administration interface over HTTP.
///
/// Off the hot path, so it uses SwiftNIO's own codec. Requests are bounded: a head by the codec, a body is not read but
/// ends the connection when it is larger than 64 KiB.
package struct AdminServer: Sendable {
    /// An address and what is offered there.
    package struct Binding: Sendable, Hashable {
        package var address: NetworkAddress
        package var scope: AdminRoutes.Scope

        package init(_ address: NetworkAddress, _ scope: AdminRoutes.Scope) {
            self.address = address
            self.scope = scope
        }
    }

    /// An address that cannot be used.
    package struct BindError: Error, Sendable, CustomStringConvertible {
        package var address: NetworkAddress
        package var reason: String
        package var description: String {
            "cannot bind the admin address \(self.address): \(self.reason); is another proxy running?"
        }
    }

    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>
    private typealias Server = NIOAsyncChannel<Connection, Never>

    private static let bodyBytesMax = 64 << 10

    private let routes: AdminRoutes
    private let servers: [(server: Server, scope: AdminRoutes.Scope)]
    private let logger: Logger

    /// Binds all addresses, or throws and binds none.
    package static func bind(
        _ bindings: [Binding],
        sources: AdminSources,
        group: MultiThreadedEventLoopGroup,
        logger: Logger
    ) async throws -> AdminServer {
        var servers: [(server: Server, scope: AdminRoutes.Scope)] = []
        for binding in bindings {
            do {
                servers.append((try await Self.listen(binding.address, group), binding.scope))
            } catch {
                for (server, _) in servers { server.channel.close(promise: nil) }
                let reason = (error as? IOError)?.errnoCode == EADDRINUSE ? "address in use" : "\(error)"
                throw BindError(address: binding.address, reason: reason)
            }
        }
        return AdminServer(routes: AdminRoutes(sources), servers: servers, logger: logger)
    }

    private static func listen(_ address: NetworkAddress, _ group: MultiThreadedEventLoopGroup) async throws -> Server {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 64)
            .bind(host: "\(address.ip)", port: Int(address.port)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
    }

    /// Serves until it is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for (server, scope) in self.servers {
                group.addTask { await self.accept(server, scope) }
            }
        }
    }

    private func accept(_ server: Server, _ scope: AdminRoutes.Scope) async {
        do {
            try await server.executeThenClose { connections in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await connection in connections {
                        group.addTask { await self.serve(connection, scope) }
                    }
                }
            }
        } catch is CancellationError {
            return
        } catch {
            self.logger.error("admin interface ended", metadata: ["reason": "\(error)"])
        }
    }

    private func serve(_ connection: Connection, _ scope: AdminRoutes.Scope) async {
        do {
            try await connection.executeThenClose { inbound, outbound in
                var head: HTTPRequestHead?
                var bodyBytes = 0
                for try await part in inbound {
                    switch part {
                    case .head(let received):
                        head = received
                        bodyBytes = 0
                    case .body(let bytes):
                        bodyBytes += bytes.readableBytes
                        if bodyBytes > Self.bodyBytesMax { return }
                    case .end:
                        guard let received = head else { return }
                        head = nil
                        let request = AdminRequest(method: received.method.rawValue, target: received.uri)
                        let response = await self.routes.respond(to: request, in: scope)
                        let isHead = received.method == .HEAD
                        try await outbound.write(contentsOf: Self.parts(response, received, withoutBody: isHead))
                        if !received.isKeepAlive { return }
                    }
                }
            }
        } catch {
            self.logger.debug("admin connection ended", metadata: ["reason": "\(error)"])
        }
    }

    private static func parts(
        _ response: AdminResponse,
        _ request: HTTPRequestHead,
        withoutBody: Bool
    ) -> [HTTPServerResponsePart] {
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: response.contentType)
        headers.add(name: "content-length", value: "\(response.body.utf8.count)")
        headers.add(name: "cache-control", value: "no-cache, max-age=0")
        headers.add(name: "x-content-type-options", value: "nosniff")
        if !request.isKeepAlive { headers.add(name: "connection", value: "close") }
        let status = HTTPResponseStatus(statusCode: response.status)
        let head = HTTPResponseHead(version: request.version, status: status, headers: headers)
        let body = withoutBody ? [] : [HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: response.body)))]
        return [.head(head)] + body + [.end(nil)]
    }
}
