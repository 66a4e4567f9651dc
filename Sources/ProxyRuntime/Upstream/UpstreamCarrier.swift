internal import NIOCore
internal import TrafficEngine

/// What takes one request to an endpoint: a connection of HTTP/1, or a stream of HTTP/2.
protocol UpstreamCarrier: AnyObject {
    /// More of the request can be written now.
    var isWritable: Bool { get }
    var localAddress: NetworkAddress? { get }

    /// Takes an exchange on and writes what there is of its request; more may follow with `write`.
    func begin(_ server: ServerExchange)

    /// A part of the request's body, in the exchange's `bodyForm`; with the last one the exchange's trailers go.
    func write(_ buffer: ByteBuffer, isLast: Bool)

    func flush()

    /// The client's side can take more of the answer.
    func resumeReading()

    /// The exchange is given up.
    func abandon()

    /// In a tunnel the client has ended its side.
    func endOutput()
}
