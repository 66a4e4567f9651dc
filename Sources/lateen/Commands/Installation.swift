import Foundation
import LocalPlatform

/// Where Lateen's own files are on this machine.
struct Installation {
    /// This program.
    let executable: String
    /// The folder with all executables.
    let programFolder: String
    /// The manifests.
    let deployFolder: String

    /// Finds `deploy/` beside the executable or in a folder above it; `LATEEN_DEPLOY` names another.
    init(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        guard let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            throw PlatformError("cannot read /proc/self/exe; is /proc mounted?")
        }
        self.executable = executable
        self.programFolder = (executable as NSString).deletingLastPathComponent
        func isDeploy(_ path: String) -> Bool {
            FileManager.default.fileExists(atPath: "\(path)/one-machine/images.yaml")
        }
        if let named = environment["LATEEN_DEPLOY"], !named.isEmpty {
            guard isDeploy(named) else {
                throw PlatformError("LATEEN_DEPLOY names \(named), which has no one-machine/images.yaml")
            }
            self.deployFolder = URL(fileURLWithPath: named).standardizedFileURL.path
            return
        }
        let called = URL(fileURLWithPath: CommandLine.arguments.first ?? "lateen").standardizedFileURL.path
        for start in [called, executable] {
            var folder = start as NSString
            while folder.length > 1 {
                folder = folder.deletingLastPathComponent as NSString
                let candidate = folder.appendingPathComponent("deploy")
                if isDeploy(candidate) {
                    self.deployFolder = candidate
                    return
                }
            }
        }
        throw PlatformError("no folder deploy/ beside \(executable) or above it: set LATEEN_DEPLOY to it")
    }
}
