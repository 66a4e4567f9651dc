/// When a certificate is renewed: at half of its life, a little earlier or later, so that proxies that started
/// together do not all ask at once.
package struct RenewalTime: Hashable, Sendable {
    /// Share of the life after which it is renewed.
    package var share: Double
    /// Largest deviation from `share`.
    package var jitter: Double

    package init(share: Double = 0.5, jitter: Double = 0.01) {
        self.share = share
        self.jitter = jitter
    }

    /// Seconds after the beginning of a life of `lifetime` seconds.
    ///
    /// - Parameters:
    ///   - lifetime: length of the life in seconds.
    ///   - random: -1 to 1.
    /// - Returns: seconds, at least 0 and at most `lifetime`.
    package func delay(lifetime: Double, random: Double) -> Double {
        min(max(0, lifetime * (self.share + self.jitter * random)), max(0, lifetime))
    }
}
