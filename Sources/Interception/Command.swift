internal import Glibc

/// A program with its arguments, run to its end with text in and text out.
///
/// The three streams are unlinked temporary files and no pipes: neither side ever waits for the other.
package struct Command: Sendable {
    package var words: [String]

    package init(words: [String]) {
        self.words = words
    }

    package struct Result: Sendable {
        /// The exit status; 128 and up if a signal ended the program.
        package var status: Int32
        package var output: String
        package var errors: String
    }

    /// The program could not be started.
    package struct StartError: Error {
        package var reason: String
    }

    /// Blocks until the program has ended; not for an event loop.
    package func run(input: String) throws(StartError) -> Result {
        guard let source = tmpfile(), let output = tmpfile(), let errors = tmpfile() else {
            throw StartError(reason: "cannot make a temporary file: \(Self.text(errno))")
        }
        defer {
            fclose(source)
            fclose(output)
            fclose(errors)
        }
        var input = input
        let written = input.withUTF8 { fwrite($0.baseAddress, 1, $0.count, source) }
        guard written == input.utf8.count, fflush(source) == 0 else {
            throw StartError(reason: "cannot write its input: \(Self.text(errno))")
        }
        rewind(source)

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, fileno(source), 0)
        posix_spawn_file_actions_adddup2(&actions, fileno(output), 1)
        posix_spawn_file_actions_adddup2(&actions, fileno(errors), 2)

        var arguments: [UnsafeMutablePointer<CChar>?] = self.words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let failure = posix_spawnp(&process, self.words[0], &actions, nil, arguments, environ)
        guard failure == 0 else { throw StartError(reason: Self.text(failure)) }

        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw StartError(reason: Self.text(errno)) }
        }
        let signal = status & 0x7f
        return Result(
            status: signal == 0 ? status >> 8 & 0xff : 128 + signal,
            output: Self.content(output),
            errors: Self.content(errors)
        )
    }

    private static func content(_ file: UnsafeMutablePointer<FILE>) -> String {
        rewind(file)
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = fread(&part, 1, part.count, file)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(contentsOf: part[..<count])
        }
    }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}
