internal import NIOCore
package import TrafficEngine

extension Worker {
    /// The trace with this loop's part of the caches.
    func mixerTrace(_ question: MixerTraceQuestion) -> Result<MixerTrace, MixerTraceObstacle> {
        let listener: String
        let terminal: FilterChain.Terminal
        let policy: MixerPolicy
        do throws(MixerTraceObstacle) {
            (listener, terminal, policy) = try self.state.mixer(for: question)
        } catch {
            return .failure(error)
        }
        let facts = PolicyFacts(
            source: question.connection.source,
            destination: question.connection.destination,
            serverName: question.connection.serverName,
            peer: question.peer
        )
        func trace(_ attributes: RequestAttributes, _ destination: MixerDestination) -> MixerTrace {
            let charges = policy.checkServer == nil ? [] : destination.charges(attributes)
            let server = policy.checkServer ?? policy.reportServer
            return MixerTrace(
                listener: listener,
                policy: policy,
                isConnection: attributes.isConnection,
                attributes: attributes.all(at: Int64(WallClock.milliseconds())),
                charges: charges,
                endpoints: server.map { self.endpoints(of: $0).map(\.address) } ?? [],
                loops: [self.mixer.kept(attributes, charges, policy.checkServer, on: self)]
            )
        }
        switch terminal {
        case .http(let manager):
            return .success(
                question.request.withView { view in
                    let destination =
                        switch policy.side {
                        case .inbound: policy.destination(of: view)
                        case .outbound: policy.destination(of: self.state.service(of: view, in: manager), view)
                        }
                    return trace(RequestAttributes(view, facts, policy, destination.service), destination)
                }
            )
        case .tcp(let proxy):
            let destination =
                switch policy.side {
                case .inbound: policy.first
                case .outbound: policy.destination(of: self.state.service(of: question.connection, through: proxy))
                }
            // Each connection has a name of its own; this is none's.
            let attributes = RequestAttributes(connection: "0", facts, policy, destination.service)
            return .success(trace(attributes, destination))
        }
    }
}

extension ProxyRuntime {
    /// What would be asked about a request or connection, and what each loop has kept; it is not counted.
    package func mixerTrace(_ question: MixerTraceQuestion) async throws -> MixerTrace {
        var trace: MixerTrace?
        for worker in self.workers {
            let own = try await worker.onLoop { $0.mixerTrace(question) }.get()
            guard trace != nil else {
                trace = own
                continue
            }
            trace?.loops += own.loops
        }
        guard let trace else { throw MixerTraceObstacle.noListener(question.connection.destination) }
        return trace
    }
}
