import CLocalPlatform
import Glibc

/// Starts a process that outlives this one.
enum DaemonProcess {
    static func spawn(program: String, arguments: [String], environment: [String: String], log: String) throws -> Int32
    {
        var pid: pid_t = 0
        let failure = withCStrings([program] + arguments) { arguments in
            withCStrings(environment.map { "\($0)=\($1)" }) { environment in
                lateen_spawn_daemon(program, arguments, environment, log, &pid)
            }
        }
        guard failure == 0 else { throw SpawnError(program: program, step: "start the daemon", errorNumber: failure) }
        return pid
    }
}
