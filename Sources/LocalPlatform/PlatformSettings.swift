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
    /// Files of hosts outside the mesh besides the built-in one.
    package var outside: [String]?
    /// Which of the clusters of this machine it is; `nil`: the first.
    package var index: Int?

    package init(
        deployFolder: String,
        programFolder: String,
        images: [String],
        manifests: [String],
        outside: [String] = [],
        index: Int = 0
    ) {
        self.index = index
        self.outside = outside
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

    package func network(of state: StateFolder) -> PlatformNetwork {
        PlatformNetwork(cluster: state.cluster, index: self.index ?? 0)
    }

    /// The number of a cluster that is made anew: the lowest one that none of the others beside it has.
    package static func freeIndex(besides others: [PlatformSettings]) -> Int? {
        let taken = Set(others.map { $0.index ?? 0 } + [0])
        return PlatformNetwork.indexes.first { !taken.contains($0) }
    }

    package func outsideHosts() throws -> OutsideHosts {
        let file = URL(fileURLWithPath: "\(self.deployFolder)/one-machine/outside.yaml")
        // The built-in hosts belong to the first cluster's machine.
        var hosts =
            FileManager.default.fileExists(atPath: file.path) && (self.index ?? 0) == 0
            ? try OutsideHosts(file: file)
            : try OutsideHosts(text: "hosts: []", file: file.path, folder: self.deployFolder)
        for other in self.outside ?? [] { try hosts.add(file: URL(fileURLWithPath: other)) }
        return hosts
    }
}
