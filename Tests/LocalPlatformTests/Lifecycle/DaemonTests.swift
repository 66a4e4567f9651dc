import Foundation
import Glibc
import LocalPlatform
import Testing

@Suite struct DaemonTests {
    @Test("Clusters that run beside one are known by their daemons; those that are down do not count")
    func others() throws {
        let parent = FileManager.default.temporaryDirectory.appendingPathComponent("home-\(UUID())")
        defer { try? FileManager.default.removeItem(at: parent) }
        let home = parent.appendingPathComponent("lateen")
        let own = try #require(ProcessIdentity(pid: getpid()))
        let states = ["main", "west", "north", "south"].map { StateFolder(home, cluster: $0) }
        for state in states {
            try state.create()
            try PlatformSettings(deployFolder: "", programFolder: "", images: [], manifests: []).write(state)
        }
        for state in states.prefix(3) { try Data("\(own)\n".utf8).write(to: state.daemonPid) }

        #expect(Daemon.running(besides: states[0]).map(\.cluster) == ["north", "west"])
        #expect(Daemon.running(besides: states[1]).map(\.cluster) == ["main", "north"])
        #expect(Daemon.running(besides: states[3]).map(\.cluster) == ["main", "north", "west"])
    }
}
