import CLocalPlatform

/// Both ends of a pipe; neither is inherited unless a `SpawnRequest` names it.
struct Pipe {
    let read: Int32
    let write: Int32

    init() throws {
        var (read, write): (Int32, Int32) = (-1, -1)
        let failure = lateen_pipe(&read, &write)
        guard failure == 0 else { throw SpawnError(program: "pipe", step: "open", errorNumber: failure) }
        self.read = read
        self.write = write
    }
}
