internal import Synchronization

/// So many in a while, and then a few of many.
final class SampleLimit: Sendable {
    struct Settings: Hashable, Sendable {
        var window: Duration
        /// All of the first ones of a window are taken.
        var unsampledMax: Int64
        /// And then each of this number; 0: none.
        var rate: Int64
    }

    private struct Window {
        var start: Duration?
        var count: Int64 = 0
    }

    let settings: Settings
    private let window = Mutex(Window())

    init(_ settings: Settings) { self.settings = settings }

    /// Counts one, and says whether it is taken. A window begins with the first one after the last window.
    func takes(at now: Duration) -> Bool {
        let settings = self.settings
        let count = self.window.withLock { window in
            if window.start.map({ now - $0 >= settings.window }) ?? true { window = Window(start: now) }
            window.count += 1
            return window.count
        }
        if count <= settings.unsampledMax { return true }
        return settings.rate > 0 && (count - settings.unsampledMax).isMultiple(of: settings.rate)
    }
}
