package import MeshModel

/// How much of a request's body somebody wants to see before the request goes on.
package struct BodyWish: Hashable, Sendable {
    /// So much of a body is held for services at most, whatever they want: many requests may wait at once.
    package static let bytesLimit = 1 << 20

    package var bytesMax: Int
    package var mayBePartial: Bool

    package init(_ body: AuthorizationProvider.Body) {
        self.bytesMax = min(Int(body.bytesMax), Self.bytesLimit)
        self.mayBePartial = body.mayBePartial
    }

    package enum OnBody: Hashable {
        case wait
        /// Show this many bytes of it.
        case show(count: Int, isPartial: Bool)
        case refuse
    }

    /// What to do when so much of the body has come.
    ///
    /// - Parameters:
    ///   - count: bytes so far, without framing.
    ///   - isWhole: no more will come.
    ///   - length: what the head said of it; `nil`: nothing.
    /// - Returns: whether to ask now, and with how much of it.
    package func bodyReceived(_ count: Int, isWhole: Bool, length: Int?) -> OnBody {
        if !self.mayBePartial {
            if count > self.bytesMax || (length ?? 0) > self.bytesMax { return .refuse }
            return isWhole ? .show(count: count, isPartial: false) : .wait
        }
        if count > self.bytesMax { return .show(count: self.bytesMax, isPartial: true) }
        if isWhole || count == length { return .show(count: count, isPartial: false) }
        // Envoy asks as soon as it could show no more.
        return count == self.bytesMax ? .show(count: count, isPartial: true) : .wait
    }
}
