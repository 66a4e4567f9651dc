import Hummingbird
import Logging
import NIOCore
import Serverless

/// Tells when the client of a connection has left.
///
/// A client that closes its side only cannot be told from one that is gone, which matters while its request waits.
final class ClientWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = NIOAny

    let presence = ClientPresence()

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { self.presence.left() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.presence.left()
        context.fireChannelInactive()
    }
}

/// A request to the activator, with the connection that it came by.
struct ActivatorContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    private let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.channel = source.channel
    }

    /// `nil`: the connection has ended.
    var presence: ClientPresence? {
        get async {
            // What fails is to find the watch in a connection that has been taken apart.
            try? await self.channel.pipeline.handler(type: ClientWatch.self).map(\.presence).get()
        }
    }
}
