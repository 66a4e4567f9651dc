import Foundation

/// Lines for the person who waits, each with the time since the start.
struct Progress: Sendable {
    private let start = ContinuousClock.now

    func tell(_ line: String) {
        let time = self.start.duration(to: .now)
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        print(String(format: "%6.1f s  %@", seconds, line))
        // Whoever reads through a pipe wants to see it now.
        fflush(nil)
    }

    func fail(_ message: String) {
        FileHandle.standardError.write(Data("lateen: \(message)\n".utf8))
    }
}
