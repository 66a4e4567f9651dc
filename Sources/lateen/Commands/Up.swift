import ArgumentParser
import Foundation
import KubernetesAPI
import LocalPlatform

/// Starts the mesh on this machine, or repairs the one that runs.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start the mesh on this machine, or repair what is missing of it.",
        discussion: """
            Starts the platform (API server, node, DNS, hosts outside the mesh) in the background, applies the control
            plane's manifests and those given by --with, and waits until all of their pods are ready.

            May be called again at any time: what runs is left alone, what is missing is made.
            Needs root. `lateen down` takes everything away again.

            --cluster NAME starts a further cluster beside the first: a machine of its own in a network namespace, with
            its own API server, pods and addresses. Its authority is one below the first cluster's, so that workloads
            of both trust each other.
            """
    )

    @OptionGroup var cluster: ClusterOption

    @Option(help: ArgumentHelp("An image catalogue file; may be given several times.", valueName: "file"))
    var images: [String] = []

    @Option(
        name: .customLong("with"),
        help: ArgumentHelp("A manifest file, or a folder of them; may be given several times.", valueName: "path")
    )
    var manifests: [String] = []

    @Option(
        help: ArgumentHelp("A file of hosts outside the mesh; may be given several times.", valueName: "file")
    )
    var outside: [String] = []

    @Option(help: ArgumentHelp("How long to wait for everything to be ready.", valueName: "seconds"))
    var timeout: Int = 180

    @Flag(help: "Give a further cluster an authority of its own, which the first one's workloads do not trust.")
    var ownAuthority = false

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
        let state = self.cluster.state
        let programs = try Installation()
        // Until the settings are written, nobody else may choose the number that they say.
        let lock = try ClusterLock()
        let settings = try self.settings(programs, state)
        let network = settings.network(of: state)
        // Mistakes in files are found before anything is started.
        let outside = try settings.outsideHosts()
        _ = try settings.catalogue()
        let (gateways, anyControl) = try Manifests(paths: [settings.deployFolder]).separating(file: "gateways.yaml")
        let control = anyControl.placed(in: network)
        let doorFile = "\(settings.deployFolder)/one-machine/ingress-door.yaml"
        // A folder of one's own need not have it; other clusters have no loopback that a browser could use.
        let hasDoor = network.isFirst && FileManager.default.fileExists(atPath: doorFile)
        let door = try Manifests(paths: hasDoor ? [doorFile] : [])
        let wanted = try Manifests(paths: settings.manifests)
        try Preflight.checkPrograms(outside: outside)

        if let daemon = Daemon.running(state) {
            progress.tell("the platform runs already (pid \(daemon.pid)); looking for what is missing")
            try settings.write(state)
            lock.release()
            try await self.waitForPlatform(daemon, state, progress)
        } else {
            if let other = Daemon.otherRunning(state) {
                throw PlatformError(
                    "a mesh \(network.isFirst ? "" : "with this name ")runs on this machine already; "
                        + "take it down first: LATEEN_HOME=\(other) lateen down"
                )
            }
            if network.isFirst { try await Preflight.checkPort(PlatformNetwork.apiPort) }
            if let conflict = try await HostNetwork.conflict(network) { throw PlatformError(conflict) }
            try state.create()
            try settings.write(state)
            lock.release()
            progress.tell("starting the platform; its log is \(state.daemonLog.path)")
            let machine = ClusterMachine(network)
            try await machine?.create()
            let command = [programs.executable, "platform", "--cluster", network.cluster]
            let daemon = try Daemon.start(try machine?.entering(command) ?? command, state: state)
            try await self.waitForPlatform(daemon, state, progress)
        }
        let client = try state.client("up")
        do {
            let rollout = Rollout(client: client, progress: progress, limit: .seconds(self.timeout))
            if !network.isFirst {
                try await SharedAuthority(state: state, isOwn: self.ownAuthority, progress: progress).plug(into: client)
            }
            try await rollout.apply(control)
            try await rollout.label(network)
            try await rollout.wait(for: control)
            // Gateways start with what the control plane gives them.
            try await rollout.apply(gateways)
            try await rollout.apply(door)
            if !self.noInjection { try await rollout.injectDefaultNamespace() }
            try await rollout.apply(wanted)
            try await rollout.wait(for: gateways)
            try await rollout.wait(for: wanted)
            await client.shutdown()
        } catch {
            await client.shutdown()
            throw error
        }
        self.say(wanted, door, outside, state, progress)
    }

    /// Paths are made absolute: the daemon reads them again later, from another folder.
    private func settings(_ programs: Installation, _ state: StateFolder) throws -> PlatformSettings {
        func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
        // An `up` without files repairs what was brought up before.
        let before = try? PlatformSettings.read(state)
        var index = before?.index ?? 0
        if !state.isOfFirst, before == nil {
            let others = state.siblings.compactMap { try? PlatformSettings.read($0) }
            guard let free = PlatformSettings.freeIndex(besides: others) else {
                throw PlatformError(
                    "there are \(PlatformNetwork.indexes.count) clusters already; delete one: "
                        + "lateen down --purge --cluster NAME"
                )
            }
            index = free
        }
        return PlatformSettings(
            deployFolder: programs.deployFolder,
            programFolder: programs.programFolder,
            images: self.images.isEmpty ? before?.images ?? [] : self.images.map(absolute),
            manifests: self.manifests.isEmpty ? before?.manifests ?? [] : self.manifests.map(absolute),
            outside: self.outside.isEmpty ? before?.outside ?? [] : self.outside.map(absolute),
            index: index
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

    private func say(
        _ wanted: Manifests,
        _ door: Manifests,
        _ outside: OutsideHosts,
        _ state: StateFolder,
        _ progress: Progress
    ) {
        progress.tell("the mesh is up")
        print("")
        for url in wanted.doors { print("  open   \(url)") }
        let doors = door.doors.joined(separator: " or ")
        if !doors.isEmpty { print("  \(doors) is the ingress gateway, once a Gateway listens") }
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
