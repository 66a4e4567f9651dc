#define _GNU_SOURCE
#include "CLocalPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/// The descriptor on which a child finds `extra`.
#define EXTRA_DESCRIPTOR 3

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/// What a child reports through its CLOEXEC pipe when it cannot exec.
typedef struct {
    int error;
    int stage;
} failure;

enum { STAGE_FORK, STAGE_NAMESPACE, STAGE_DESCRIPTORS, STAGE_TERMINAL, STAGE_FOLDER, STAGE_USER, STAGE_EXEC };

static const char *const stage_names[] = {
    "fork", "join the namespace", "set up the descriptors", "take the terminal", "enter the folder",
    "change the user", "execute the program",
};

static void fail(int report, int stage) {
    failure what = {errno, stage};
    ssize_t ignored = write(report, &what, sizeof what);
    (void)ignored;
    _exit(127);
}

/// Moves `source` out of the way of the small numbers that are assigned next.
static int above_small(int source) { return source < 0 ? source : fcntl(source, F_DUPFD_CLOEXEC, 10); }

static void place(int source, int target, int report) {
    if (dup2(source, target) < 0) fail(report, STAGE_DESCRIPTORS);
}

static void restrict_to(uint64_t capabilities, int report) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    for (int half = 0; half < 2; half++) {
        data[half].effective = data[half].permitted = (uint32_t)(capabilities >> (32 * half));
    }
    if (syscall(SYS_capset, &header, data) != 0) fail(report, STAGE_USER);
}

/// The child's side: never returns.
static void become(const lateen_spawn_request *request, int report) {
    if (request->dies_with_parent) prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < 32; number++) signal(number, SIG_DFL);

    report = above_small(report);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int input = above_small(request->input >= 0 ? request->input : null);
    int output = above_small(request->output >= 0 ? request->output : null);
    int errors = above_small(request->errors >= 0 ? request->errors : null);
    int extra = above_small(request->extra);
    int network = above_small(request->network);
    if (report < 0 || input < 0 || output < 0 || errors < 0) fail(report, STAGE_DESCRIPTORS);

    if (network >= 0 && setns(network, CLONE_NEWNET) != 0) fail(report, STAGE_NAMESPACE);
    if (request->enter > 0) {
        int target = (int)syscall(SYS_pidfd_open, request->enter, 0);
        int all = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC;
        if (target < 0 || setns(target, all) != 0) fail(report, STAGE_NAMESPACE);
        close(target);
        // Only children of this process live in the joined pid namespace, so one more is made and waited for.
        pid_t inner = fork();
        if (inner < 0) fail(report, STAGE_FORK);
        if (inner > 0) {
            for (int descriptor = 0; descriptor < 1024; descriptor++) close(descriptor);
            int status = 0;
            while (waitpid(inner, &status, 0) < 0 && errno == EINTR) {}
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }

    if (setsid() < 0 && errno != EPERM) fail(report, STAGE_TERMINAL);
    place(input, 0, report);
    place(output, 1, report);
    place(errors, 2, report);
    if (extra >= 0) place(extra, EXTRA_DESCRIPTOR, report);
    if (request->terminal && ioctl(0, TIOCSCTTY, 0) != 0) fail(report, STAGE_TERMINAL);
    if (request->folder != NULL && chdir(request->folder) != 0) fail(report, STAGE_FOLDER);

    if (request->restricts) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (request->group >= 0) {
        gid_t more = (gid_t)request->extra_group;
        if (setgroups(request->extra_group >= 0 ? 1 : 0, &more) != 0 ||
            setresgid(request->group, request->group, request->group) != 0) {
            fail(report, STAGE_USER);
        }
    }
    if (request->user > 0) {
        if (setresuid(request->user, request->user, request->user) != 0) fail(report, STAGE_USER);
        // A change of user clears the death signal.
        if (request->dies_with_parent) prctl(PR_SET_PDEATHSIG, SIGKILL);
    } else if (request->restricts) {
        restrict_to(request->capabilities, report);
    }
    // The daemon's sockets are not all close-on-exec (NIO's are not); none of them is the child's business.
    unsigned int first = extra >= 0 ? EXTRA_DESCRIPTOR + 1 : 3;
    if (syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) != 0) fail(report, STAGE_DESCRIPTORS);
    environ = (char **)request->environment;
    execvp(request->program, request->arguments);
    fail(report, STAGE_EXEC);
}

// The reaper: one thread waits for the ends of all children, each by its own descriptor, so that nobody else's
// children are touched.

typedef struct {
    int descriptor;
    lateen_exit_callback on_exit;
    void *context;
} watched;

static int reaper_poll = -1;

static void *reap(void *unused) {
    (void)unused;
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(reaper_poll, &event, 1, -1) != 1) continue;
        watched *child = event.data.ptr;
        siginfo_t info;
        memset(&info, 0, sizeof info);
        if (waitid(P_PIDFD, (id_t)child->descriptor, &info, WEXITED | WNOHANG) != 0) {
            info.si_code = CLD_EXITED;
            info.si_status = 255;
        } else if (info.si_pid == 0) {
            continue;
        }
        epoll_ctl(reaper_poll, EPOLL_CTL_DEL, child->descriptor, NULL);
        close(child->descriptor);
        child->on_exit(child->context, info.si_code, info.si_status);
        free(child);
    }
    return NULL;
}

// The spawner: a parent's death signal is sent when the *thread* that forked ends, so all children are forked by one
// thread that lives as long as the process.

typedef struct order {
    const lateen_spawn_request *request;
    lateen_exit_callback on_exit;
    void *context;
    pid_t pid;
    int error, stage, done;
    struct order *next;
} order;

static pthread_mutex_t spawner_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t spawner_changed = PTHREAD_COND_INITIALIZER;
static order *spawner_orders = NULL;

static void carry_out(order *order) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        order->error = errno;
        order->stage = STAGE_DESCRIPTORS;
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(report[0]);
        become(order->request, report[1]);
    }
    int error = errno;
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        order->error = error;
        order->stage = STAGE_FORK;
        return;
    }
    failure what;
    ssize_t count;
    do { count = read(report[0], &what, sizeof what); } while (count < 0 && errno == EINTR);
    close(report[0]);
    if (count == (ssize_t)sizeof what) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        order->error = what.error;
        order->stage = what.stage;
        return;
    }
    watched *child = malloc(sizeof *child);
    int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
    if (child == NULL || descriptor < 0) {
        order->error = errno;
        order->stage = STAGE_FORK;
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        free(child);
        return;
    }
    *child = (watched){descriptor, order->on_exit, order->context};
    order->pid = pid;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = child};
    epoll_ctl(reaper_poll, EPOLL_CTL_ADD, descriptor, &event);
}

static void *spawn_orders(void *unused) {
    (void)unused;
    pthread_mutex_lock(&spawner_lock);
    for (;;) {
        while (spawner_orders == NULL) pthread_cond_wait(&spawner_changed, &spawner_lock);
        order *next = spawner_orders;
        spawner_orders = next->next;
        pthread_mutex_unlock(&spawner_lock);
        carry_out(next);
        pthread_mutex_lock(&spawner_lock);
        next->done = 1;
        pthread_cond_broadcast(&spawner_changed);
    }
    return NULL;
}

static void start_threads(void) {
    pthread_t thread;
    reaper_poll = epoll_create1(EPOLL_CLOEXEC);
    pthread_create(&thread, NULL, reap, NULL);
    pthread_detach(thread);
    pthread_create(&thread, NULL, spawn_orders, NULL);
    pthread_detach(thread);
}

int lateen_spawn(
    const lateen_spawn_request *request, lateen_exit_callback on_exit, void *context, pid_t *pid, const char **stage) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_threads);
    order mine = {.request = request, .on_exit = on_exit, .context = context};
    pthread_mutex_lock(&spawner_lock);
    order **last = &spawner_orders;
    while (*last != NULL) last = &(*last)->next;
    *last = &mine;
    pthread_cond_broadcast(&spawner_changed);
    while (!mine.done) pthread_cond_wait(&spawner_changed, &spawner_lock);
    pthread_mutex_unlock(&spawner_lock);
    *pid = mine.pid;
    *stage = stage_names[mine.stage];
    return mine.error;
}

int lateen_open_terminal(
    const char *multiplexer, int rows, int columns, int64_t owner, int *primary, int *secondary) {
    *primary = open(multiplexer, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*primary < 0) return errno;
    int unlocked = 0;
    *secondary = -1;
    if (ioctl(*primary, TIOCSPTLCK, &unlocked) == 0) {
        *secondary = ioctl(*primary, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    if (*secondary < 0 || (owner > 0 && fchown(*secondary, (uid_t)owner, (gid_t)-1) != 0)) {
        int error = errno;
        if (*secondary >= 0) close(*secondary);
        close(*primary);
        return error;
    }
    return lateen_resize_terminal(*primary, rows, columns);
}

int lateen_resize_terminal(int primary, int rows, int columns) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    return ioctl(primary, TIOCSWINSZ, &size) == 0 ? 0 : errno;
}

int lateen_pipe(int *read_end, int *write_end) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    *read_end = ends[0];
    *write_end = ends[1];
    return 0;
}

int lateen_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int lateen_spawn_daemon(
    const char *program, char *const *arguments, char *const *environment, const char *log, pid_t *pid) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return errno;
    pid_t child = fork();
    if (child < 0) return errno;
    if (child == 0) {
        setsid();
        int null = open("/dev/null", O_RDONLY);
        int output = open(log, O_WRONLY | O_CREAT | O_APPEND, 0640);
        if (null < 0 || output < 0) fail(report[1], STAGE_DESCRIPTORS);
        dup2(null, 0);
        dup2(output, 1);
        dup2(output, 2);
        // Nothing of the caller's terminal or pipes may stay open in a daemon.
        for (int descriptor = 3; descriptor < 1024; descriptor++) {
            if (descriptor != report[1]) close(descriptor);
        }
        environ = (char **)environment;
        execv(program, arguments);
        fail(report[1], STAGE_EXEC);
    }
    close(report[1]);
    failure what;
    ssize_t count = read(report[0], &what, sizeof what);
    close(report[0]);
    *pid = child;
    return count == (ssize_t)sizeof what ? what.error : 0;
}
