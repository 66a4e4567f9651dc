import AdminServer
import NIOCore
import NIOPosix
import ProxyRuntime
import TrafficEngine

/// `/policy/trace` of the admin interface.
struct MixerTracing: Sendable {
    let runtime: ProxyRuntime
    let group: MultiThreadedEventLoopGroup

    /// So many endpoints of the engine are tried, each for so long.
    private static let (endpointsMax, connectTime) = (8, TimeAmount.seconds(1))

    func respond(to request: AdminRequest) async -> AdminResponse {
        let question: MixerTraceQuestion
        do throws(MixerTracePage.Mistake) {
            question = try MixerTracePage.question(request)
        } catch {
            return AdminResponse(400, body: "\(error)\n")
        }
        do {
            let trace = try await self.runtime.mixerTrace(question)
            let body = MixerTracePage.json(trace, faults: await self.faults(of: trace.endpoints))
            return AdminResponse(contentType: "application/json", body: body)
        } catch {
            return AdminResponse(404, body: "\(error)\n")
        }
    }

    /// Which endpoints take no connection, and why.
    private func faults(of endpoints: [NetworkAddress]) async -> [NetworkAddress: String] {
        await withTaskGroup(of: (NetworkAddress, String?).self) { group in
            for endpoint in endpoints.prefix(Self.endpointsMax) {
                group.addTask { (endpoint, await self.fault(of: endpoint)) }
            }
            var faults: [NetworkAddress: String] = [:]
            for await (endpoint, fault) in group { faults[endpoint] = fault }
            return faults
        }
    }

    private func fault(of endpoint: NetworkAddress) async -> String? {
        do {
            let channel = try await ClientBootstrap(group: self.group)
                .connectTimeout(Self.connectTime)
                .connect(host: "\(endpoint.ip)", port: Int(endpoint.port))
                .get()
            channel.close(promise: nil)
            return nil
        } catch {
            return "\(error)"
        }
    }
}
