internal import MeshModel
internal import NIOCore
internal import NIOHTTP1
internal import ProxyRuntime
internal import Synchronization
internal import TrafficEngine

/// Connections to services over HTTP/1.1; those without a question are kept for the next.
final class HTTPConnections: Sendable {
    private struct Connection: Sendable {
        var channel: any Channel
        var handler: NIOLoopBound<HTTPConnection>
        var settings: ClientTLS?
    }

    /// Of one endpoint; more are closed when they are done.
    private static let keptMax = 16
    /// For a connection and its handshake.
    private static let connectLimit: Duration = .seconds(5)

    private let connector: ServiceConnector
    private let kept = Mutex<[ServiceEndpoint: [Connection]]>([:])

    init(connector: ServiceConnector) { self.connector = connector }

    /// Asks an endpoint.
    ///
    /// - Throws: `ServiceConnectionError` if it was not asked, `HTTPReplyError` if it gave no answer.
    func ask(
        _ endpoint: ServiceEndpoint,
        _ head: HTTPRequestHead,
        body: [UInt8],
        bodyBytesMax: Int,
        until deadline: ContinuousClock.Instant
    ) async throws -> HTTPReply {
        let settings = self.connector.settings(of: endpoint)
        if let connection = self.take(endpoint, settings) {
            do {
                return try await self.ask(connection, endpoint, head, body, bodyBytesMax, until: deadline)
            } catch let error as HTTPReplyError where error.wasUnanswered {
                // It had been kept for too long; another one will do.
            }
        }
        let left = max(deadline - ContinuousClock.now, .milliseconds(1))
        let connection = try await self.connector.connect(
            to: endpoint,
            within: min(left, Self.connectLimit)
        ) { channel, negotiated in
            channel.eventLoop.makeCompletedFuture {
                // A port that says HTTP/2 (`http2-…`, `grpc-…`) settles that with the other side's proxy.
                if negotiated.flatMap(MeshALPN.content(negotiated:)) == .http2 {
                    throw ServiceConnectionError(
                        message: "the service's port speaks HTTP/2; name it `http-…` to have it asked in HTTP/1.1"
                    )
                }
                let handler = HTTPConnection()
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(handler)
                let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
                return Connection(channel: channel, handler: bound, settings: settings)
            }
        }
        return try await self.ask(connection, endpoint, head, body, bodyBytesMax, until: deadline)
    }

    /// Closes all that is kept.
    func close() {
        let all = self.kept.withLock { kept in
            defer { kept = [:] }
            return kept.values.flatMap { $0 }
        }
        for connection in all { connection.channel.close(promise: nil) }
    }

    private func ask(
        _ connection: Connection,
        _ endpoint: ServiceEndpoint,
        _ head: HTTPRequestHead,
        _ body: [UInt8],
        _ bodyBytesMax: Int,
        until deadline: ContinuousClock.Instant
    ) async throws -> HTTPReply {
        let loop = connection.channel.eventLoop
        let timeout = TimeAmount(max(deadline - ContinuousClock.now, .zero))
        let reply = try await loop.flatSubmit {
            connection.handler.value.ask(head, body: body, bodyBytesMax: bodyBytesMax, within: timeout, on: loop)
        }.get()
        self.keep(connection, endpoint)
        return reply
    }

    private func take(_ endpoint: ServiceEndpoint, _ settings: ClientTLS?) -> Connection? {
        var outdated: [Connection] = []
        let found = self.kept.withLock { kept -> Connection? in
            while let connection = kept[endpoint]?.popLast() {
                if connection.settings != settings {
                    outdated.append(connection)
                } else if connection.channel.isActive {
                    return connection
                }
            }
            kept[endpoint] = nil
            return nil
        }
        for connection in outdated { connection.channel.close(promise: nil) }
        return found
    }

    private func keep(_ connection: Connection, _ endpoint: ServiceEndpoint) {
        guard connection.channel.isActive else { return }
        let isKept = self.kept.withLock { kept in
            guard kept[endpoint, default: []].count < Self.keptMax else { return false }
            kept[endpoint, default: []].append(connection)
            return true
        }
        if !isKept { connection.channel.close(promise: nil) }
    }
}
