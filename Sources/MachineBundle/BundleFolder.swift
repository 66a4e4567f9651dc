internal import Foundation

extension BundleFiles {
    /// Why a bundle was not written, for the person who asked for it.
    package struct Unwritable: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    /// Writes a bundle, in place of an older one. The folder is for its owner alone: it holds a token.
    ///
    /// - Throws: `Unwritable`; also for a folder that is used for something else, which others may have to enter.
    package static func write(_ files: [File], to folder: String) throws {
        let manager = FileManager.default
        do {
            try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let known = Set(files.map(\.name)).union([MachineBundle.File.probe])
            if let other = try manager.contentsOfDirectory(atPath: folder).sorted().first(where: { !known.contains($0) }
            ) {
                throw Unwritable(
                    description: "\(folder) holds \(other), which is no part of a bundle: say a folder of its own"
                )
            }
            try manager.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder)
            for file in files {
                let path = "\(folder)/\(file.name)"
                // A file keeps its old mode when it is only filled anew.
                if manager.fileExists(atPath: path) { try manager.removeItem(atPath: path) }
                guard
                    manager.createFile(
                        atPath: path,
                        contents: Data(file.text.utf8),
                        attributes: [.posixPermissions: file.mode]
                    )
                else { throw Unwritable(description: "cannot write \(path)") }
            }
        } catch let error as Unwritable {
            throw error
        } catch {
            throw Unwritable(description: "cannot write \(folder): \(error.localizedDescription)")
        }
    }
}
