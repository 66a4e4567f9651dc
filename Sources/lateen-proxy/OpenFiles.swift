import Glibc

/// How many files and sockets this process may have open.
enum OpenFiles {
    /// Lifts the limit to the most that the system lets this process have. The usual one, 1024, is for programs that
    /// use `select`, which cannot name more; a proxy's connections are many more at times.
    static func raiseLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        // Refused: what there was must do.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
