/// What the authority grants, whatever is asked.
package struct IssuancePolicy: Hashable, Sendable {
    package var trustDomain: String
    /// Life of a certificate that asks for none.
    package var lifetime: Duration
    /// Longer lives are cut to this.
    package var lifetimeMax: Duration
    /// Certificates begin to be valid so long before they are issued, for clocks that are behind.
    package var backdating: Duration

    package init(
        trustDomain: String = "cluster.local",
        lifetime: Duration = .seconds(24 * 3600),
        lifetimeMax: Duration = .seconds(90 * 24 * 3600),
        backdating: Duration = .seconds(120)
    ) {
        self.trustDomain = trustDomain
        self.lifetime = lifetime
        self.lifetimeMax = lifetimeMax
        self.backdating = backdating
    }

    /// The life of a certificate for which `requested` seconds were asked; 0 or less: none were.
    package func lifetime(requested seconds: Int64) -> Duration {
        seconds <= 0 ? self.lifetime : min(.seconds(seconds), self.lifetimeMax)
    }
}
