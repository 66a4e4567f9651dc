import ServiceLifecycle

/// A loop that ends when the program is asked to stop.
struct RunningService: ServiceLifecycle.Service {
    private let name: String
    private let body: @Sendable () async throws -> Void

    init(_ name: String, _ body: @escaping @Sendable () async throws -> Void) {
        self.name = name
        self.body = body
    }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await self.body() }
        } catch is CancellationError {
            return
        } catch {
            throw ServiceFailure(service: self.name, cause: error)
        }
    }
}

/// Which part of the control plane failed, and why.
struct ServiceFailure: Error, CustomStringConvertible {
    var service: String
    var cause: any Error

    var description: String { "\(self.service): \(self.cause)" }
}
