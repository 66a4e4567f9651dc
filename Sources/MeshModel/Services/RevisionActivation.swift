/// A service's endpoints are the pods of a revision that may have none: requests wait for one in the callers' proxies.
package struct RevisionActivation: Hashable, Sendable {
    /// Under which the autoscaler knows it.
    package var revision: ObjectID
    /// Requests that a pod takes at once; 0: any number.
    package var concurrencyMax: Int

    package init(revision: ObjectID, concurrencyMax: Int) {
        self.revision = revision
        self.concurrencyMax = concurrencyMax
    }
}
