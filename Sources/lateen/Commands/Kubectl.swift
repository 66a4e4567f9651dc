import Foundation
import KubernetesAPI
import LocalPlatform

/// Runs `kubectl` against the mesh's cluster.
struct Kubectl {
    /// The kubeconfig to use; `nil` leaves the choice to kubectl.
    let kubeconfig: String?

    /// `KUBECONFIG` if it is set, else the file of the mesh on this machine if there is one.
    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        if let path = environment["KUBECONFIG"], !path.isEmpty {
            self.kubeconfig = nil
            return
        }
        let path = "\(environment["LATEEN_HOME"] ?? "/var/lib/lateen")/kubeconfig"
        self.kubeconfig = FileManager.default.isReadableFile(atPath: path) ? path : nil
    }

    /// The file of a cluster of this machine.
    init(_ state: StateFolder) { self.kubeconfig = state.kubeconfig.path }

    /// What `program` writes when it runs in a container.
    func exec(
        _ target: String,
        namespace: String,
        container: String,
        _ program: [String],
        input: Data? = nil
    ) throws -> Data {
        let options = input == nil ? [] : ["-i"]
        return try self.run(
            ["exec"] + options + ["-n", namespace, target, "-c", container, "--"] + program,
            input: input
        )
    }

    /// The container that runs the proxy: `istio-proxy` beside a workload, at a gateway the one with the proxy's image.
    func proxyContainer(of target: String, namespace: String) throws -> String {
        let name = target.contains("/") ? [target] : ["pod", target]
        let object = try JSONValue.parse(try self.run(["get", "-n", namespace, "-o", "json"] + name))
        let spec = object[path: "spec", "template", "spec"] ?? object["spec"]
        let containers = (spec?["containers"]?.array ?? []) + (spec?["initContainers"]?.array ?? [])
        if containers.contains(where: { $0.name == "istio-proxy" }) { return "istio-proxy" }
        let gateway = containers.first { $0["args"]?.array?.first?.string == "router" }
        return gateway?.name ?? "istio-proxy"
    }

    /// A pod by its name, or some running pod of a controller.
    func pod(of target: String, namespace: String) throws -> String {
        guard target.contains("/") else { return target }
        let object = try JSONValue.parse(try self.run(["get", "-n", namespace, target, "-o", "json"]))
        let labels = object[path: "spec", "selector", "matchLabels"]?.stringMap ?? [:]
        let selector = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        guard !selector.isEmpty else { throw CommandFailure(description: "\(target) selects no pods") }
        let list = try JSONValue.parse(
            try self.run(["get", "pods", "-n", namespace, "-l", selector, "-o", "json"])
        )
        let running = (list["items"]?.array ?? []).filter {
            $0[path: "metadata", "deletionTimestamp"] == nil && $0[path: "status", "phase"]?.string == "Running"
        }
        guard let name = running.first?[path: "metadata", "name"]?.string else {
            throw CommandFailure(description: "\(target) in namespace \(namespace) has no running pod")
        }
        return name
    }

    /// What `kubectl` writes; its complaint is thrown if it fails. `input`: what it reads.
    func run(_ arguments: [String], input: Data? = nil) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["kubectl"] + (self.kubeconfig.map { ["--kubeconfig", $0] } ?? []) + arguments
        let output = Pipe()
        let errors = Pipe()
        process.standardInput = try input.map(Self.readable) ?? FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // Complaints are short; the output may be long and is read first, or the pipe would fill up.
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        let complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            // A program in a pod may have said on its output what is wrong.
            let output = data.count <= 1000 ? data : Data()
            let text = [output, complaint].map { String(decoding: $0, as: UTF8.self) }
                .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { !$0.isEmpty }
                .joined(separator: "; ")
            if process.terminationStatus == 127 {
                throw CommandFailure(description: "kubectl is not installed: \(text)")
            }
            throw CommandFailure(description: "kubectl \(arguments.joined(separator: " ")): \(text)")
        }
        return data
    }

    /// A file without a name: unlike a pipe it takes any amount before anybody reads.
    private static func readable(_ data: Data) throws -> FileHandle {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("lateen-\(UUID().uuidString)")
        try data.write(to: file, options: .withoutOverwriting)
        defer {
            // Who cannot remove it has a file too many.
            try? FileManager.default.removeItem(at: file)
        }
        return try FileHandle(forReadingFrom: file)
    }
}

/// What went wrong, in one sentence for the person at the terminal.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
}

/// Columns for people, each as wide as its widest entry.
struct TextTable {
    private var rows: [[String]]

    init(_ titles: String...) { self.rows = [titles] }

    mutating func add(_ cells: String...) { self.rows.append(cells) }

    var isEmpty: Bool { self.rows.count == 1 }

    var text: String {
        let widths = (self.rows.first ?? []).indices.map { column in
            self.rows.map { $0[column].count }.max() ?? 0
        }
        return self.rows.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.count + 5)
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
