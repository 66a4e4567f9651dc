import ArgumentParser
import AsyncHTTPClient
import Foundation
import MeshModel
import NIOCore
import NIOHTTP1

/// Prints a page of the control plane that runs beside it; `lateen proxy-status` calls this in the pod.
struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Print a debug page of the running control plane or policy engine, such as debug/syncz."
    )

    @Argument(help: "The page's path.")
    var path: String

    @Option(help: "Port of metrics and debug pages.")
    var monitoringPort = Int(MeshPorts.controlMonitoring)

    @Flag(help: "Send standard input to the page (POST).")
    var post = false

    func run() async throws {
        let path = self.path.hasPrefix("/") ? self.path : "/" + self.path
        let url = "http://127.0.0.1:\(self.monitoringPort)\(path)"
        let status: HTTPResponseStatus
        do {
            var request = HTTPClientRequest(url: url)
            if self.post {
                request.method = .POST
                request.body = .bytes(ByteBuffer(bytes: try FileHandle.standardInput.readToEnd() ?? Data()))
            }
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
            print(String(buffer: try await response.body.collect(upTo: 64 << 20)), terminator: "")
            status = response.status
        } catch {
            throw Failure("\(url): no answer (\(error)); does the control plane run here?")
        }
        guard status == .ok else { throw Failure("\(url): \(status.code) \(status.reasonPhrase)") }
    }
}
