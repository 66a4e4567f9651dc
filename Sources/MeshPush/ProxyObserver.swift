package import MeshModel

/// A proxy's stream, for those who do more with it than push.
package struct ProxyConnection: Sendable {
    /// Of this process, never used again.
    package var id: UInt64
    package var proxy: ProxyKey
    /// Texts that the proxy says of itself, by Istio's names.
    package var metadata: [String: String]

    package init(id: UInt64, proxy: ProxyKey, metadata: [String: String]) {
        self.id = id
        self.proxy = proxy
        self.metadata = metadata
    }
}

/// What a proxy says of the workload beside it.
package struct WorkloadHealth: Hashable, Sendable {
    /// The type of a discovery request that is none: Istio's way to report on the stream that is there.
    package static let typeURL = "type.googleapis.com/istio.v1.HealthInformation"

    package var isHealthy: Bool
    /// Why not, for people.
    package var message: String

    package init(isHealthy: Bool, message: String = "") {
        self.isHealthy = isHealthy
        self.message = message
    }
}

/// Why a proxy that has proved who it is may not stay.
package struct ProxyRefusal: Error, Hashable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Something has to be made first.
        case missing
        case forbidden
        /// It may try again.
        case unavailable
    }

    package var code: Code
    package var description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// Hears of proxies that come, report and go.
package protocol ProxyObserver: Sendable {
    /// Called before anything is pushed.
    ///
    /// - Throws: `ProxyRefusal`, which ends the stream; `disconnected` is called all the same.
    func connected(_ connection: ProxyConnection) async throws
    /// The proxy says how its workload is; must not block.
    func reported(_ id: UInt64, _ health: WorkloadHealth)
    /// Must not block.
    func disconnected(_ id: UInt64)
}
