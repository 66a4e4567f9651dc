import ArgumentParser
import Foundation
import KubernetesAPI
import LocalPlatform
import Logging

/// Starts the mesh on this machine, or repairs the one that runs.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start the mesh on this machine, or repair what is missing of it.",
        discussion: """
            Starts the platform (API server, node, DNS, hosts outside the mesh) in the background, applies the control
            plane's manifests and those given by --with, and waits until all of their pods are ready.

            May be called again at any time: what runs is left alone, what is missing is made.
            Needs root. `lateen down` takes everything away again.
            """
    )

    @Option(help: ArgumentHelp("An image catalogue file; may be given several times.", valueName: "file"))
    var images: [String] = []

    @Option(
        name: .customLong("with"),
        help: ArgumentHelp("A manifest file, or a folder of them; may be given several times.", valueName: "path")
    )
    var manifests: [String] = []

    @Option(help: ArgumentHelp("How long to wait for everything to be ready.", valueName: "seconds"))
    var timeout: Int = 180

    @Flag(help: "Do not label the namespace default for injection of sidecars.")
    var noInjection = false

    func validate() throws {
        guard self.timeout > 0 else { throw ValidationError("--timeout must be at least 1") }
    }

    func run() async throws {
        let progress = Progress()
        do {
            try await self.bringUp(progress)
        } catch let error as PlatformError {
            progress.fail(error.message)
            throw ExitCode.failure
        } catch {
            progress.fail("\(error)")
            throw ExitCode.failure
        }
    }

    private func bringUp(_ progress: Progress) async throws {
        try Preflight.checkRights()
        let state = StateFolder(environment: ProcessInfo.processInfo.environment)
        let programs = try Installation()
        let settings = try self.settings(programs, state)
        // Mistakes in files are found before anything is started.
        let outside = try settings.outsideHosts()
        _ = try settings.catalogue()
        let control = try Manifests(paths: [settings.deployFolder])
        let wanted = try Manifests(paths: settings.manifests)
        try Preflight.checkPrograms(outside: outside)

        if let daemon = Daemon.running(state) {
            progress.tell("the platform runs already (pid \(daemon.pid)); looking for what is missing")
            try settings.write(state)
            try await self.waitForPlatform(daemon, state, progress)
        } else {
            if let other = Daemon.otherRunning(state) {
                throw PlatformError(
                    "a mesh runs on this machine already; take it down first: LATEEN_HOME=\(other) lateen down"
                )
            }
            try await Preflight.checkPort(PlatformNetwork.apiPort)
            if let conflict = try await HostNetwork.conflict() { throw PlatformError(conflict) }
            try state.create()
            try settings.write(state)
            progress.tell("starting the platform; its log is \(state.daemonLog.path)")
            let daemon = try Daemon.start(program: programs.executable, arguments: ["platform"], state: state)
            try await self.waitForPlatform(daemon, state, progress)
        }
        let client = try KubernetesClient(
            configuration: try ClientConfiguration.kubeconfig(path: state.kubeconfig.path),
            logger: Logger(label: "up") { _ in SwiftLogNoOpLogHandler() }
        )
        do {
            let rollout = Rollout(client: client, progress: progress, limit: .seconds(self.timeout))
            try await rollout.apply(control)
            try await rollout.wait(for: control)
            if !self.noInjection { try await rollout.injectDefaultNamespace() }
            try await rollout.apply(wanted)
            try await rollout.wait(for: wanted)
            await client.shutdown()
        } catch {
            await client.shutdown()
            throw error
        }
        self.say(wanted, outside, state, progress)
    }

    /// Paths are made absolute: the daemon reads them again later, from another folder.
    private func settings(_ programs: Installation, _ state: StateFolder) throws -> PlatformSettings {
        func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
        // An `up` without files repairs what was brought up before.
        let before = try? PlatformSettings.read(state)
        return PlatformSettings(
            deployFolder: programs.deployFolder,
            programFolder: programs.programFolder,
            images: self.images.isEmpty ? before?.images ?? [] : self.images.map(absolute),
            manifests: self.manifests.isEmpty ? before?.manifests ?? [] : self.manifests.map(absolute)
        )
    }

    private func waitForPlatform(_ daemon: ProcessIdentity, _ state: StateFolder, _ progress: Progress) async throws {
        let deadline = ContinuousClock.now + .seconds(self.timeout)
        while true {
            if let late = try? String(contentsOf: state.ready, encoding: .utf8) {
                progress.tell(late.isEmpty ? "platform ready" : "platform ready, but \(late)")
                return
            }
            if !daemon.isAlive {
                let why = try? String(contentsOf: Daemon.failure(state), encoding: .utf8)
                throw PlatformError(why ?? "the platform ended while it was starting; see \(state.daemonLog.path)")
            }
            if ContinuousClock.now > deadline {
                throw PlatformError("the platform is not ready after \(self.timeout) s; see \(state.daemonLog.path)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func say(_ wanted: Manifests, _ outside: OutsideHosts, _ state: StateFolder, _ progress: Progress) {
        progress.tell("the mesh is up")
        print("")
        for url in wanted.doors { print("  open   \(url)") }
        for host in outside.hosts { print("  \(host.hostName) is \(host.address), outside the mesh") }
        print("")
        print("  export KUBECONFIG=\(state.kubeconfig.path)")
        let example =
            wanted.entries.contains { $0.object.kind == "Deployment" && $0.object.name == "sleep" }
            ? "kubectl exec deploy/sleep -c sleep -- curl -sS http://productpage:9080/productpage | grep -o '<title>.*</title>'"
            : "kubectl get pods -A"
        print("  \(example)")
    }
}
