internal import Glibc

extension IdentityKeeper.World {
    package static let real = IdentityKeeper.World(
        now: {
            // Certificates are valid by the wall clock.
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
        },
        sleep: { try await Task.sleep(for: $0) },
        random: { Double.random(in: 0...1) }
    )
}
