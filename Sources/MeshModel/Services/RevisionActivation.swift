/// A service's endpoints are the pods of a revision that may have none: requests wait for one in the callers' proxies.
package struct RevisionActivation: Hashable, Sendable {
    /// Under which the autoscaler knows it.
    package var revision: ObjectID
    /// Requests that a pod takes at once; 0: any number.
    package var concurrencyMax: Int
    /// A pod that takes a connection takes requests, so that proxies may ask it themselves while it starts.
    package var asksPods: Bool

    package init(revision: ObjectID, concurrencyMax: Int, asksPods: Bool = false) {
        self.revision = revision
        self.concurrencyMax = concurrencyMax
        self.asksPods = asksPods
    }
}
