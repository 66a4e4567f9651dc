package import Foundation
import Glibc

/// A folder of files that is replaced as a whole, the way Kubernetes does it: the names are links into `..data`, which
/// is a link to the present version, so that readers see either all old files or all new ones.
package struct VolumeFolder {
    package let url: URL
    /// Files belong to this group and are readable for it, whatever their mode says (`fsGroup`).
    package let group: Int?

    package init(url: URL, group: Int? = nil) {
        self.url = url
        self.group = group
    }

    package struct File: Hashable {
        package var bytes: Data
        package var mode: Int

        package init(
            bytes: Data,
            mode: Int
        ) {
            self.bytes = bytes
            self.mode = mode
        }
    }

    private var data: URL { self.url.appendingPathComponent("..data") }

    /// Makes the folder hold exactly these files; paths may have folders in them. Nothing happens if it does already.
    package func write(_ files: [String: File]) throws {
        let manager = FileManager.default
        try manager.createDirectory(at: self.url, withIntermediateDirectories: true)
        if self.isCurrent(files) { return }

        let version = "..\(UUID().uuidString.lowercased())"
        let folder = self.url.appendingPathComponent(version)
        for (path, file) in files {
            let target = folder.appendingPathComponent(path)
            try manager.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try file.bytes.write(to: target)
            try self.setRights(of: target.path, mode: file.mode)
        }
        try manager.createDirectory(at: folder, withIntermediateDirectories: true)
        let previous = try? manager.destinationOfSymbolicLink(atPath: self.data.path)
        let fresh = self.url.appendingPathComponent("..data_next")
        try? manager.removeItem(at: fresh)
        try manager.createSymbolicLink(atPath: fresh.path, withDestinationPath: version)
        guard rename(fresh.path, self.data.path) == 0 else {
            throw SpawnError(program: self.data.path, step: "replace the volume", errorNumber: errno)
        }
        try self.linkNames(files)
        if let previous { try? manager.removeItem(at: self.url.appendingPathComponent(previous)) }
    }

    private func setRights(of path: String, mode: Int) throws {
        guard let group = self.group else {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            return
        }
        // The owner stays as it is.
        guard chown(path, uid_t.max, gid_t(group)) == 0 else {
            throw SpawnError(program: path, step: "give the file to group \(group)", errorNumber: errno)
        }
        try FileManager.default.setAttributes([.posixPermissions: mode | 0o440], ofItemAtPath: path)
    }

    private func isCurrent(_ files: [String: File]) -> Bool {
        guard FileManager.default.fileExists(atPath: self.data.path) else { return false }
        let present =
            (try? FileManager.default.subpathsOfDirectory(atPath: self.data.resolvingSymlinksInPath().path)) ?? []
        var count = 0
        for path in present {
            var isFolder: ObjCBool = false
            let file = self.data.appendingPathComponent(path)
            _ = FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder)
            if isFolder.boolValue { continue }
            count += 1
            guard let wanted = files[path], (try? Data(contentsOf: file)) == wanted.bytes else { return false }
        }
        return count == files.count
    }

    private func linkNames(_ files: [String: File]) throws {
        let manager = FileManager.default
        let names = Set(files.keys.compactMap { $0.split(separator: "/").first.map(String.init) })
        for present in try manager.contentsOfDirectory(atPath: self.url.path)
        where !present.hasPrefix("..") && !names.contains(present) {
            try manager.removeItem(at: self.url.appendingPathComponent(present))
        }
        for name in names {
            let link = self.url.appendingPathComponent(name).path
            if (try? manager.destinationOfSymbolicLink(atPath: link)) == nil {
                try manager.createSymbolicLink(atPath: link, withDestinationPath: "..data/\(name)")
            }
        }
    }
}
