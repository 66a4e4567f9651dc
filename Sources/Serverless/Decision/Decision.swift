/// What the load asks for at one moment, and why.
package struct Decision: Sendable, Hashable {
    package enum Mode: String, Sendable, Hashable { case stable, panic }

    package enum PanicTurn: Sendable, Hashable { case none, began, ended }

    /// What kept the count from being what the averages ask for.
    package enum Limit: Sendable, Hashable {
        case none
        case scaleUpRate(Int)
        case scaleDownRate(Int)
        case activationScale(Int)
        case panicKeeps(Int, insteadOf: Int)
        case delayKeeps(Int, insteadOf: Int)
    }

    /// A revision is behind so many activators at least.
    package static let activatorsMin = 2

    package var readyPods: Int
    package var stableAverage: Double
    package var panicAverage: Double
    /// Pods that the stable average needs, before any limit.
    package var stableNeed: Int
    package var panicNeed: Int
    package var mode: Mode
    package var panicTurn: PanicTurn
    /// Pods that the load asks for, before minimum, maximum and the way to zero.
    package var wanted: Int
    package var limit: Limit
    /// Room that is left for a burst. Below zero the activator has to be in the path.
    package var excessBurstCapacity: Int
    package var activators: Int
}
