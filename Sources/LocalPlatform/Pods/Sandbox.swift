import Foundation

/// What a container's processes see and may do, as the arguments of bubblewrap.
package struct Sandbox: Sendable, Hashable {
    package struct Mount: Sendable, Hashable {
        package var source: String
        package var target: String
        package var isReadOnly: Bool

        package init(
            source: String,
            target: String,
            isReadOnly: Bool
        ) {
            self.source = source
            self.target = target
            self.isReadOnly = isReadOnly
        }
    }

    package var hostName: String
    /// Files of `/etc` made for this pod: name and place on the host.
    package var generatedFiles: [String: String]
    package var mounts: [Mount]
    package var user: Int
    package var group: Int
    /// The group that volumes belong to (`fsGroup`).
    package var volumeGroup: Int?
    package var capabilities: Set<Capability>
    package var folder: String
    package var command: [String]

    package init(
        hostName: String,
        generatedFiles: [String: String],
        mounts: [Mount],
        user: Int,
        group: Int,
        volumeGroup: Int? = nil,
        capabilities: Set<Capability>,
        folder: String,
        command: [String]
    ) {
        self.hostName = hostName
        self.generatedFiles = generatedFiles
        self.mounts = mounts
        self.user = user
        self.group = group
        self.volumeGroup = volumeGroup
        self.capabilities = capabilities
        self.folder = folder
        self.command = command
    }

    /// Bubblewrap writes the pid of the sandbox's first process here.
    package static let infoDescriptor = 3

    /// Parts of the machine's `/etc` that programs need to run at all; what is absent is left out.
    private static let sharedSettings = [
        "alternatives", "ca-certificates", "ca-certificates.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
        "localtime", "mime.types", "protocols", "python3", "python3.11", "python3.12", "python3.13", "services", "ssl",
    ]

    /// The whole command line.
    package func arguments(runtimeFolders: [String], rootLinks: [String: String?]) -> [String] {
        var words = [
            "bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", self.hostName,
            "--die-with-parent", "--info-fd", String(Self.infoDescriptor), "--ro-bind", "/usr", "/usr",
        ]
        for (name, link) in rootLinks.sorted(by: { $0.key < $1.key }) {
            words += link.map { ["--symlink", $0, "/\(name)"] } ?? ["--ro-bind", "/\(name)", "/\(name)"]
        }
        for folder in ["etc", "var", "home", "opt", "srv", "mnt"] {
            words += ["--perms", "0755", "--dir", "/\(folder)"]
        }
        words += ["--perms", "0700", "--dir", "/root"]
        for name in Self.sharedSettings { words += ["--ro-bind-try", "/etc/\(name)", "/etc/\(name)"] }
        for (name, source) in self.generatedFiles.sorted(by: { $0.key < $1.key }) {
            words += ["--ro-bind", source, "/etc/\(name)"]
        }
        for folder in ["/tmp", "/var/tmp", "/run", "/var/run", "/var/log", "/var/lib"] {
            words += ["--perms", folder.hasSuffix("tmp") ? "1777" : "0755", "--tmpfs", folder]
        }
        words += ["--dev", "/dev", "--proc", "/proc"]
        for folder in Self.parents(of: runtimeFolders + self.mounts.map(\.target)) {
            words += ["--perms", "0755", "--dir", folder]
        }
        for folder in runtimeFolders { words += ["--ro-bind", folder, folder] }
        for mount in self.mounts { words += [mount.isReadOnly ? "--ro-bind" : "--bind", mount.source, mount.target] }
        words += ["--chdir", self.folder, "--cap-drop", "ALL"]
        for capability in self.capabilitiesOfStart.sorted(by: { $0.rawValue < $1.rawValue }) {
            words += ["--cap-add", "CAP_\(capability.kubernetesName)"]
        }
        words.append("--")
        if self.changesUser {
            words += ["setpriv", "--reuid", String(self.user), "--regid", String(self.group)]
            words += (self.volumeGroup.map { ["--groups", String($0)] } ?? ["--clear-groups"]) + ["--"]
        }
        return words + self.command
    }

    /// The folders above mounts; bubblewrap would make them for root only.
    private static func parents(of targets: [String]) -> [String] {
        var folders = Set<String>()
        for target in targets {
            var folder = (target as NSString).deletingLastPathComponent
            while folder.count > 1, !folder.hasPrefix("/usr") {
                folders.insert(folder)
                folder = (folder as NSString).deletingLastPathComponent
            }
        }
        return folders.sorted()
    }

    private var changesUser: Bool { self.user != 0 || self.group != 0 }

    /// A change of user needs two capabilities, and takes all of them away when it has happened.
    private var capabilitiesOfStart: Set<Capability> {
        self.changesUser ? self.capabilities.union([.setuid, .setgid]) : self.capabilities
    }

    /// `/bin` and its like: a link on machines with a merged `/usr`, else a folder (`nil`); absent ones are left out.
    package static func machineRootLinks() -> [String: String?] {
        var links: [String: String?] = [:]
        for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
            if let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/\(name)") {
                links[name] = .some(target)
            } else if FileManager.default.fileExists(atPath: "/\(name)") {
                links[name] = .some(nil)
            }
        }
        return links
    }

    /// Folders outside `/usr` that this process has loaded libraries from: the Swift runtime's, which the platform's
    /// own programs need too.
    package static func runtimeFolders() -> [String] {
        let maps = ProcFile.read("/proc/self/maps") ?? ""
        var folders = Set<String>()
        for line in maps.split(separator: "\n") {
            guard let slash = line.firstIndex(of: "/"), line[slash...].contains(".so") else { continue }
            let folder = (String(line[slash...]) as NSString).deletingLastPathComponent
            if !["/usr/", "/lib/", "/lib64"].contains(where: { (folder + "/").hasPrefix($0) }) {
                folders.insert(folder)
            }
        }
        return folders.sorted()
    }
}
