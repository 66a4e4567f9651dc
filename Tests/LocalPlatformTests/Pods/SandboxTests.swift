import LocalPlatform
import Testing

@Suite struct SandboxTests {
    private static let links: [String: String?] = ["bin": "usr/bin", "lib": nil]

    private func sandbox(
        user: Int = 0,
        volumeGroup: Int? = nil,
        capabilities: Set<Capability> = [],
        mounts: [Sandbox.Mount] = []
    ) -> [String] {
        Sandbox(
            hostName: "web-1",
            generatedFiles: ["hosts": "/state/hosts"],
            mounts: mounts,
            user: user,
            group: user,
            volumeGroup: volumeGroup,
            capabilities: capabilities,
            folder: "/app",
            command: ["/bin/web", "-v"]
        ).arguments(runtimeFolders: ["/opt/swift/lib"], rootLinks: Self.links)
    }

    private func holds(_ words: [String], _ part: [String]) -> Bool {
        words.indices.contains { Array(words[$0...].prefix(part.count)) == part }
    }

    @Test("Everything of the machine is read-only, and the sandbox dies with the platform")
    func readOnly() {
        let words = self.sandbox()

        #expect(words.contains("--die-with-parent"))
        #expect(self.holds(words, ["--ro-bind", "/usr", "/usr"]))
        #expect(self.holds(words, ["--symlink", "usr/bin", "/bin"]))
        #expect(self.holds(words, ["--ro-bind", "/lib", "/lib"]))
        #expect(self.holds(words, ["--ro-bind", "/state/hosts", "/etc/hosts"]))
        #expect(words.suffix(3) == ["--", "/bin/web", "-v"])
        #expect(!words.contains("setpriv"))
    }

    @Test("Another user is taken on inside, and the rights for that are there without being asked for")
    func user() {
        let words = self.sandbox(user: 1337)

        #expect(self.holds(words, ["--cap-drop", "ALL", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETUID"]))
        #expect(
            self.holds(words, ["setpriv", "--reuid", "1337", "--regid", "1337", "--clear-groups", "--", "/bin/web"])
        )
    }

    @Test("A container is in the group that its volumes belong to")
    func volumeGroup() {
        let words = self.sandbox(user: 1000, volumeGroup: 1337)

        #expect(self.holds(words, ["--reuid", "1000", "--regid", "1000", "--groups", "1337", "--", "/bin/web"]))
    }

    @Test("Folders above a mount may be entered by every user")
    func parents() {
        let target = "/var/run/secrets/kubernetes.io/serviceaccount"
        let words = self.sandbox(mounts: [Sandbox.Mount(source: "/state/v", target: target, isReadOnly: true)])

        #expect(self.holds(words, ["--perms", "0755", "--dir", "/var/run/secrets/kubernetes.io"]))
        #expect(self.holds(words, ["--perms", "0755", "--dir", "/opt/swift"]))
        #expect(self.holds(words, ["--ro-bind", "/opt/swift/lib", "/opt/swift/lib"]))
        #expect(self.holds(words, ["--ro-bind", "/state/v", target]))
    }

    @Test("Capabilities are added to the defaults, dropped from them, or start from nothing")
    func capabilities() throws {
        let add = try #require(Capability(kubernetesName: "NET_ADMIN"))

        #expect(Capability(kubernetesName: "CAP_NET_ADMIN") == add)
        #expect(Capability(kubernetesName: "SYS_MODULE") == nil)
        #expect(Capability.mask([.chown, .netAdmin]) == 1 | 1 << 12)
    }
}
