#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// How many files and sockets this process may have open.
package enum OpenFiles {
    #if canImport(Glibc)
    private static var kind: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
    #else
    private static var kind: Int32 { RLIMIT_NOFILE }
    #endif

    /// Lifts the limit to the most that the system lets this process have. The usual one, 1024, is for programs that
    /// use `select`, which cannot name more; a proxy's connections are many more at times.
    package static func raiseLimit() {
        var limit = rlimit()
        guard getrlimit(Self.kind, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        // Refused: what there was must do.
        _ = setrlimit(Self.kind, &limit)
    }
}
