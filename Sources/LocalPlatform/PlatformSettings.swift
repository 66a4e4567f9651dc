import Foundation

/// What `up` tells the daemon; kept in a file, so that a later start repairs with the same.
package struct PlatformSettings: Codable, Sendable, Hashable {
    /// The folder of manifests, `deploy`; its `one-machine` has the catalogue and the outside hosts.
    package var deployFolder: String
    /// The folder of Lateen's executables.
    package var programFolder: String
    /// Catalogue files besides the built-in one.
    package var images: [String]
    /// Manifest files and folders that were applied.
    package var manifests: [String]

    package init(deployFolder: String, programFolder: String, images: [String], manifests: [String]) {
        self.deployFolder = deployFolder
        self.programFolder = programFolder
        self.images = images
        self.manifests = manifests
    }

    package static func read(_ state: StateFolder) throws -> PlatformSettings {
        try JSONDecoder().decode(Self.self, from: Data(contentsOf: state.settings))
    }

    package func write(_ state: StateFolder) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(self).write(to: state.settings, options: .atomic)
    }

    /// Reads all catalogue files.
    package func catalogue() throws -> ImageCatalogue {
        var catalogue = ImageCatalogue()
        let variables = ["BIN": self.programFolder, "SWIFT_RUNTIME": Self.runtimeFolder() ?? self.programFolder]
        for file in ["\(self.deployFolder)/one-machine/images.yaml"] + self.images {
            try catalogue.add(file: URL(fileURLWithPath: file), variables: variables)
        }
        return catalogue
    }

    /// The folder from which this process has its Swift libraries, which Lateen's programs in pods need as well;
    /// `nil` if they are linked in.
    private static func runtimeFolder() -> String? {
        guard let maps = ProcFile.read("/proc/self/maps") else { return nil }
        let library = maps.split(separator: "\n").first { $0.hasSuffix("/libswiftCore.so") }
        guard let path = library?.split(separator: " ").last else { return nil }
        return URL(fileURLWithPath: String(path)).deletingLastPathComponent().path
    }

    package func outsideHosts() throws -> OutsideHosts {
        let file = URL(fileURLWithPath: "\(self.deployFolder)/one-machine/outside.yaml")
        guard FileManager.default.fileExists(atPath: file.path) else {
            return try OutsideHosts(text: "hosts: []", file: file.path, folder: self.deployFolder)
        }
        return try OutsideHosts(file: file)
    }
}
