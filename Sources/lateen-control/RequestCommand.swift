import ArgumentParser
import AsyncHTTPClient
import MeshModel
import NIOCore
import NIOHTTP1

/// Prints a page of the control plane that runs beside it; `lateen proxy-status` calls this in the pod.
struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Print a debug page of the running control plane, such as debug/syncz."
    )

    @Argument(help: "The page's path.")
    var path: String

    @Option(help: "Port of metrics and debug pages.")
    var monitoringPort = Int(MeshPorts.controlMonitoring)

    func run() async throws {
        let path = self.path.hasPrefix("/") ? self.path : "/" + self.path
        let url = "http://127.0.0.1:\(self.monitoringPort)\(path)"
        do {
            let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
            let body = try await response.body.collect(upTo: 64 << 20)
            print(String(buffer: body), terminator: "")
            guard response.status == .ok else {
                throw ValidationError("\(url): \(response.status.code) \(response.status.reasonPhrase)")
            }
        } catch let error as HTTPClientError {
            throw ValidationError("\(url): \(error.description); does the control plane run here?")
        }
    }
}
