import Glibc
import MeshTestSupport
import Testing
import WorkloadIdentity

@Suite struct CertificateDirectoryTests {
    private let content = CertificateDirectory.Content(chain: [1], key: [2], roots: [3])

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test("Files are read back as they were written, and the key is for its owner alone")
    func roundTrip() async throws {
        try await withTemporaryDirectory { path in
            let directory = CertificateDirectory(path: path + "/a/certs/")

            try directory.write(self.content)

            #expect(try directory.read() == self.content)
            #expect(self.mode(directory.keyFile) == 0o600)
            #expect(self.mode(directory.chainFile) == 0o644)
            #expect(self.mode(directory.rootFile) == 0o644)
        }
    }

    @Test("A file that others could read becomes the owner's when it is replaced")
    func modeOfOldFile() async throws {
        try await withTemporaryDirectory { path in
            let directory = CertificateDirectory(path: path)
            try directory.write(self.content)
            #expect(chmod(directory.keyFile, 0o666) == 0)

            try directory.write(self.content)

            #expect(self.mode(directory.keyFile) == 0o600)
        }
    }

    @Test("A reader that has the old file open keeps the old bytes: files are replaced, not changed")
    func replaced() async throws {
        try await withTemporaryDirectory { path in
            let directory = CertificateDirectory(path: path)
            try directory.write(self.content)
            let file = open(directory.chainFile, O_RDONLY)
            defer { close(file) }

            try directory.write(CertificateDirectory.Content(chain: [9, 9], key: [8], roots: [7]))

            var buffer = [UInt8](repeating: 0, count: 4)
            #expect(Glibc.read(file, &buffer, 4) == 1)
            #expect(buffer[0] == 1)
            #expect(try directory.read()?.chain == [9, 9])
        }
    }

    @Test("Nothing is left beside the three files")
    func clean() async throws {
        try await withTemporaryDirectory { path in
            try CertificateDirectory(path: path).write(self.content)

            var names: [String] = []
            let folder = try #require(opendir(path))
            while let entry = readdir(folder) {
                names.append(withUnsafePointer(to: &entry.pointee.d_name.0) { String(cString: $0) })
            }
            closedir(folder)
            #expect(Set(names) == [".", "..", "cert-chain.pem", "key.pem", "root-cert.pem"])
        }
    }

    @Test("Where nothing was written nothing is read")
    func empty() async throws {
        try await withTemporaryDirectory { path in
            let empty = try CertificateDirectory(path: path).read()
            let missing = try CertificateDirectory(path: path + "/none").read()

            #expect(empty == nil)
            #expect(missing == nil)
        }
    }

    @Test("A folder that cannot be made is named in the error")
    func unusable() {
        #expect(throws: CertificateDirectory.FileError.self) {
            try CertificateDirectory(path: "/proc/none/certs").write(self.content)
        }
    }
}
