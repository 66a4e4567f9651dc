import Glibc
import MeshModel

/// The user that a proxy on a machine runs as. Its traffic passes interception by this, so that it never meets itself.
struct ProxyUser: Sendable, Equatable {
    var user: UInt32 = MeshPorts.proxyUser
    var group: UInt32 = MeshPorts.proxyUser

    init() {}

    /// Reads `UID`, `UID:GID` or the name of a user.
    ///
    /// - Throws: a sentence for the person who wrote it.
    init(_ text: String) throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if let user = UInt32(parts[0]), parts.count <= 2, let group = UInt32(parts.last ?? "") {
            (self.user, self.group) = (user, group)
        } else if parts.count == 1, let entry = getpwnam(text) {
            (self.user, self.group) = (entry.pointee.pw_uid, entry.pointee.pw_gid)
        } else {
            throw StartError("there is no user `\(text)`: say a name, a number, or USER:GROUP in numbers")
        }
        guard self.user != 0, self.group != 0 else {
            throw StartError("the proxy cannot run as root: interception would not tell its traffic from others'")
        }
    }

    var text: String { "\(self.user):\(self.group)" }

    /// Becomes this user for good, with no group but its own: the program begins anew, with the same words.
    ///
    /// A process that only changed its user would still show root's: the main thread, which others look at, has ended
    /// by the time that this code runs.
    func become() throws {
        if getuid() == self.user, getgid() == self.group { return }
        guard getuid() == 0 else {
            throw StartError("cannot become user \(self.text) from user \(getuid()): start it as root")
        }
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard readlink("/proc/self/exe", &path, path.count - 1) > 0 else { throw Self.failure("find", "this program") }
        let program = String(decoding: path.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let words =
            ["setpriv", "--reuid=\(self.user)", "--regid=\(self.group)", "--clear-groups", "--inh-caps=-all", program]
            + CommandLine.arguments.dropFirst()
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        // Signals that this thread does not want would stay blocked in the program.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        execvp(words[0], arguments)
        throw Self.failure("become user \(self.text) by", "setpriv (package util-linux)")
    }

    /// Makes a folder that this user can write.
    func make(_ folder: String) throws {
        var path = ""
        for part in folder.split(separator: "/") {
            path += (path.isEmpty && !folder.hasPrefix("/") ? "" : "/") + part
            if mkdir(path, 0o755) != 0, errno != EEXIST { throw Self.failure("make", path) }
        }
        try self.give(folder)
    }

    /// Gives a file or folder to this user.
    func give(_ path: String) throws {
        guard chown(path, self.user, self.group) == 0 else { throw Self.failure("give the proxy's user", path) }
    }

    /// Lets this user's group read a folder that is for its owner alone, as a bundle is when it is made.
    func letEnter(_ folder: String) throws {
        var status = stat()
        guard stat(folder, &status) == 0 else { throw Self.failure("look at", folder) }
        if status.st_mode & 0o005 == 0o005 || status.st_uid == self.user { return }
        guard chown(folder, status.st_uid, self.group) == 0,
            chmod(folder, status.st_mode & 0o7777 | 0o050) == 0
        else { throw Self.failure("let the proxy's user enter", folder) }
    }

    private static func failure(_ what: String, _ path: String) -> StartError {
        StartError("cannot \(what) \(path): \(String(cString: strerror(errno)))")
    }
}
