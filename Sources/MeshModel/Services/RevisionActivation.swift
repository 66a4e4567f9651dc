/// What a proxy is told of a revision whose pods stand behind a cluster: it counts the requests for them, and holds those
/// that the pods cannot take.
package struct RevisionActivation: Hashable, Sendable {
    /// Where requests are counted.
    package enum Side: Hashable, Sendable {
        /// In the proxies that call a service. There may be no pod, and requests wait for one.
        case callers
        /// In the proxy of a pod itself, whoever calls it.
        case pod
    }

    /// Under which the autoscaler knows it.
    package var revision: ObjectID
    /// Requests that a pod takes at once; 0: any number.
    package var concurrencyMax: Int
    /// A pod that takes a connection takes requests, so that proxies may ask it themselves while it starts.
    package var asksPods: Bool
    package var side: Side

    package init(revision: ObjectID, concurrencyMax: Int, asksPods: Bool = false, side: Side = .callers) {
        self.revision = revision
        self.concurrencyMax = concurrencyMax
        self.asksPods = asksPods
        self.side = side
    }
}
