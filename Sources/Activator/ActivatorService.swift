package import KubernetesAPI
package import Logging
internal import MeshModel
internal import ProxyRuntime
package import RequestReports
internal import Serverless
internal import Synchronization
package import TrafficEngine

/// Holds requests for revisions without room until there is some, wakes the autoscaler, and passes requests on.
///
/// It is a proxy as those of callers are, with a state that it makes itself out of what it watches.
package final class ActivatorService: Sendable {
    package struct Settings: Sendable {
        /// Under which it reports.
        package var name: String
        /// Where requests come in.
        package var address: NetworkAddress
        /// Event loops.
        package var concurrency: Int
        /// How many requests of one revision may wait.
        package var queueLength: Int

        package init(name: String, address: NetworkAddress, concurrency: Int, queueLength: Int) {
            self.name = name
            self.address = address
            self.concurrency = concurrency
            self.queueLength = queueLength
        }
    }

    private let client: KubernetesClient
    private let sender: StatSender
    private let logger: Logger
    let runtime: ProxyRuntime
    private let objects: Mutex<ActivatorObjects>
    /// Rung when the state is another; whoever hears it takes the newest.
    private let changes: AsyncStream<Void>
    private let bell: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - client: of the API server.
    ///   - sender: to the autoscaler.
    ///   - settings: what the command line says.
    ///   - logger: hears of what goes wrong.
    package init(client: KubernetesClient, sender: StatSender, settings: Settings, logger: Logger) {
        self.client = client
        self.sender = sender
        self.logger = logger
        var options = ProxyRuntimeOptions(concurrency: settings.concurrency)
        options.activationReporter = ActivatorReports(name: settings.name, sender: sender)
        options.heldRequestsMax = settings.queueLength
        self.runtime = ProxyRuntime(options: options, logger: logger)
        self.objects = Mutex(ActivatorObjects(address: settings.address))
        (self.changes, self.bell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Listens from now on, and says that it is not ready. Throws if it cannot. Requests that wait over HTTP/1.1 have a
    /// connection each: as many may be open as the system lets this process have.
    package func start() async throws {
        OpenFiles.raiseLimit()
        try await self.runtime.start()
        let failures = await self.runtime.apply(self.objects.withLock { $0.state() })
        if let failure = failures.first { throw failure }
    }

    /// Watches and reports until it is cancelled; `start` comes before.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.client.reflect(.podAutoscalers) {
                    self.change { $0.read(.revisions) }
                } onChange: { change in
                    self.change { $0.revisionsChanged(change) }
                }
            }
            group.addTask {
                await self.client.reflect(.pods, labelSelector: ServingLabels.revision) {
                    self.change { $0.read(.pods) }
                } onChange: { change in
                    self.change { $0.podsChanged(change) }
                }
            }
            group.addTask { await self.sender.run() }
            group.addTask { await self.reportRegularly() }
            group.addTask { await self.applyChanges() }
        }
    }

    /// Takes no new connections, and gives the requests that are here so long.
    package func drain(_ limit: Duration) async { await self.runtime.drain(limit) }

    package func stop() async { await self.runtime.stop() }

    private func change(_ body: (inout ActivatorObjects) -> Bool) {
        if self.objects.withLock({ body(&$0) }) { self.bell.yield() }
    }

    private func applyChanges() async {
        for await _ in self.changes {
            let state = self.objects.withLock { $0.state() }
            for failure in await self.runtime.apply(state) {
                self.logger.warning("part of the state cannot be used", metadata: ["reason": "\(failure)"])
            }
        }
    }

    private func reportRegularly() async {
        while !Task.isCancelled {
            // Cancellation ends the loop.
            try? await Task.sleep(for: .seconds(1))
            self.runtime.reportActivations()
        }
    }
}
