import Glibc

/// Held while a new cluster chooses its number among those of this machine, so that two do not choose the same.
package struct ClusterLock: ~Copyable {
    package static let file = "/run/lateen.clusters.lock"

    private let descriptor: Int32

    /// Waits until nobody else holds it: a moment, as nothing is waited for while it is held.
    package init(file: String = Self.file) throws {
        self.descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard self.descriptor >= 0 else {
            throw PlatformError("cannot open \(file): \(String(cString: strerror(errno)))")
        }
        while flock(self.descriptor, LOCK_EX) != 0 {
            let failure = errno
            if failure == EINTR { continue }
            close(self.descriptor)
            throw PlatformError("cannot lock \(file): \(String(cString: strerror(failure)))")
        }
    }

    /// The number is written down.
    package consuming func release() {}

    deinit { close(self.descriptor) }
}
