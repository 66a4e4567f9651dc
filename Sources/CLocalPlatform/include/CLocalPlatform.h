/// The part of running pods that must not be Swift: everything between fork and exec.
///
/// A forked child of a threaded process may only call async-signal-safe functions, which no Swift code can promise.
#ifndef C_LOCAL_PLATFORM_H
#define C_LOCAL_PLATFORM_H

#include <stdint.h>
#include <sys/types.h>

/// What to start, and where. Descriptors stay the caller's; strings are used only during the call.
typedef struct {
    /// Found along PATH of `environment` when it has no slash.
    const char *_Nonnull program;
    /// NULL-terminated, as execve takes them.
    char *_Nullable const *_Nonnull arguments;
    char *_Nullable const *_Nonnull environment;
    /// Working folder inside the target's mount namespace; NULL keeps the present one.
    const char *_Nullable folder;
    /// Descriptors of the child; -1 opens /dev/null instead.
    int input, output, errors;
    /// Becomes descriptor 3 of the child; -1 for none.
    int extra;
    /// An open network namespace to join; -1 for none.
    int network;
    /// A process whose mount, pid, network, uts and ipc namespaces are joined; 0 for none.
    pid_t enter;
    /// Whether `input` is a terminal that becomes the controlling one.
    int terminal;
    /// Whether the child is killed when this process dies, however it dies.
    int dies_with_parent;
    /// Becomes this user and group if not negative.
    int64_t user, group;
    /// One more group, if not negative; needs `group`.
    int64_t extra_group;
    /// Whether to give up every capability outside `capabilities`, and the right to gain any by exec.
    int restricts;
    uint64_t capabilities;
} lateen_spawn_request;

/// Called once, from the reaper's thread, when a child ended: `code` and `status` are `si_code` and `si_status`.
typedef void (*lateen_exit_callback)(void *_Nullable context, int code, int status);

/// Starts a child. Blocks until exec succeeded or failed.
///
/// - Returns: 0 and the pid, or an errno; `stage` then names the step that failed (a static string).
int lateen_spawn(
    const lateen_spawn_request *_Nonnull request, lateen_exit_callback _Nonnull on_exit, void *_Nullable context,
    pid_t *_Nonnull pid, const char *_Nullable *_Nonnull stage);

/// Opens a pseudo-terminal of the given size. Returns 0 or an errno.
///
/// `multiplexer` is the `ptmx` to open: that of the sandbox, so that programs in it find their terminal's name.
int lateen_open_terminal(
    const char *_Nonnull multiplexer, int rows, int columns, int64_t owner, int *_Nonnull primary,
    int *_Nonnull secondary);

/// Tells the terminal behind `primary` its new size. Returns 0 or an errno.
int lateen_resize_terminal(int primary, int rows, int columns);

/// A pipe whose ends are closed on exec. Returns 0 or an errno.
int lateen_pipe(int *_Nonnull read_end, int *_Nonnull write_end);

/// An anonymous file in memory, closed on exec; -1 on failure.
int lateen_memory_file(const char *_Nonnull name);

/// Starts `program` in a session of its own that survives this process; output is appended to `log`.
///
/// - Returns: 0 and the pid, or an errno.
int lateen_spawn_daemon(
    const char *_Nonnull program, char *_Nullable const *_Nonnull arguments,
    char *_Nullable const *_Nonnull environment, const char *_Nonnull log, pid_t *_Nonnull pid);

#endif
