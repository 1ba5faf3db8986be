/* Runs a program as the leader of a process group. The group is killed before the leader is reaped, because the group's
 * number could belong to another group afterwards. */
#define _GNU_SOURCE /* sched_getaffinity, pipe2 */
#include "search/cost/measure/process.h"

#include "kernels/base/clock.h"
#include "supernet/train/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CORE_LIMIT = 8192, LINE_BYTES = 200, CHUNK = 1 << 16, WAKE_MS = 50, LAST_READS = 256 };

typedef struct {
    const sq_process_options *options;
    sq_process_output output;
    size_t limit;    /* bytes that output.text has room for */
    int read_end;    /* of the pipe for the output; -1: end of the output */
    pid_t id;        /* of the child; 0: not started, or already reaped */
    double deadline; /* a time of sq_seconds_now */
    cpu_set_t *cores;
} process;

/* ---- Output ---- */

char *sq_process_last_line(char *line, size_t bytes, const char *text)
{
    const char *end = text + strlen(text);
    while (end > text && (unsigned char)end[-1] <= ' ')
        end--;
    const char *start = end;
    while (start > text && start[-1] != '\n' && start[-1] != '\r')
        start--;
    size_t used = 0;
    for (; start < end && used + 1 < bytes; start++)
        line[used++] = (unsigned char)*start < ' ' || *start == 127 ? ' ' : *start;
    line[used] = 0;
    return line;
}

/* Writes ": last line 'x'" or ": it printed nothing" to `text`, for messages. Returns text. */
static const char *describe_last_line(char *text, const process *p)
{
    char line[LINE_BYTES];
    (void)sq_process_last_line(line, sizeof line, p->output.text ? p->output.text : "");
    (void)snprintf(text, LINE_BYTES + 32, line[0] ? ": last line '%s'" : ": it printed nothing", line);
    return text;
}

/* Makes room for CHUNK bytes and a zero byte by growing the text. If the text has at least twice SQ_PROCESS_KEPT_BYTES,
 * drops all but the last SQ_PROCESS_KEPT_BYTES first. */
static sq_status make_room(process *p)
{
    sq_process_output *o = &p->output;
    if (o->bytes >= 2 * (size_t)SQ_PROCESS_KEPT_BYTES) {
        memmove(o->text, o->text + o->bytes - SQ_PROCESS_KEPT_BYTES, SQ_PROCESS_KEPT_BYTES);
        o->bytes = SQ_PROCESS_KEPT_BYTES;
        o->is_cut = true;
    }
    if (o->bytes + CHUNK + 1 <= p->limit)
        return SQ_OK;
    const size_t limit = 2 * (o->bytes + CHUNK + 1);
    char *more = realloc(o->text, limit);
    if (!more)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu bytes of output", p->options->name, limit);
    o->text = more;
    p->limit = limit;
    return SQ_OK;
}

/* Appends output of the program to the text, at most CHUNK bytes. Does nothing if no output is waiting. */
static sq_status take(process *p)
{
    SQ_TRY(make_room(p));
    sq_process_output *o = &p->output;
    const ssize_t count = read(p->read_end, o->text + o->bytes, CHUNK);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return SQ_OK;
    if (count <= 0) {
        (void)close(p->read_end); /* only read */
        p->read_end = -1;
        return SQ_OK;
    }
    for (ssize_t i = 0; i < count; i++)
        if (!o->text[o->bytes + (size_t)i])
            o->text[o->bytes + (size_t)i] = '?';
    o->bytes += (size_t)count;
    o->text[o->bytes] = 0;
    return SQ_OK;
}

static bool is_readable(const process *p, int wait_ms)
{
    struct pollfd one = {.fd = p->read_end, .events = POLLIN}; /* poll ignores -1 and only waits */
    return poll(&one, 1, wait_ms) > 0;
}

/* ---- Starting ---- */

/* Chooses the first core_count cores that this process may use. Does nothing if the system does not report the allowed
 * cores. */
static void choose_cores(process *p)
{
    const size_t bytes = CPU_ALLOC_SIZE(CORE_LIMIT);
    p->cores = CPU_ALLOC(CORE_LIMIT);
    if (!p->cores || p->options->core_count <= 0 || sched_getaffinity(0, bytes, p->cores) != 0)
        return;
    for (int core = 0; core < CORE_LIMIT; core++)
        if (CPU_ISSET_S((size_t)core, bytes, p->cores)) {
            if (p->output.cores < p->options->core_count)
                p->output.cores++;
            else
                CPU_CLR_S((size_t)core, bytes, p->cores);
        }
}

/* Replaces the child by the program; never returns. Runs after fork, so it makes only async-signal-safe calls. */
static void execute(const process *p, int out, int report)
{
    static const int defaults[] = {SIGINT, SIGTERM, SIGUSR1, SIGPIPE, SIGXFSZ, SIGCHLD};
    sigset_t none;
    (void)setpgid(0, 0); /* the parent does the same, because either may be first */
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        (void)signal(defaults[i], SIG_DFL); /* cannot fail for these signals */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0 && dup2(nothing, 0) >= 0 && dup2(out, 1) >= 0 && dup2(out, 2) >= 0 &&
        (!p->output.cores || sched_setaffinity(0, CPU_ALLOC_SIZE(CORE_LIMIT), p->cores) == 0))
        (void)execvp(p->options->arguments[0], p->options->arguments);
    const int reason = errno;
    const ssize_t written = write(report, &reason, sizeof reason);
    _exit(written == sizeof reason ? 127 : 126);
}

/* Reads the child's errno from `report`. A successful exec closes the other end of `report` without writing. */
static sq_status check_start(const process *p, int report)
{
    int reason = 0;
    ssize_t count;
    do
        count = read(report, &reason, sizeof reason);
    while (count < 0 && errno == EINTR);
    if (count != sizeof reason)
        return SQ_OK;
    if (reason == ENOENT)
        return sq_fail(SQ_IO, "%s: command '%s' not found", p->options->name, p->options->arguments[0]);
    return sq_fail(SQ_IO, "%s: command '%s': %s", p->options->name, p->options->arguments[0], strerror(reason));
}

static sq_status start(process *p)
{
    int out[2] = {-1, -1}, report[2] = {-1, -1};
    sq_status status = SQ_OK;
    choose_cores(p);
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(report, O_CLOEXEC) != 0 || (p->id = fork()) < 0) {
        status = sq_fail(SQ_IO, "%s: start: %s", p->options->name, strerror(errno));
        p->id = 0;
    } else if (p->id == 0) {
        execute(p, out[1], report[1]);
    } else {
        (void)setpgid(p->id, p->id); /* fails if the child already runs the program or has ended */
        (void)close(report[1]);      /* nothing was written */
        status = check_start(p, report[0]);
        report[1] = -1;
    }
    p->read_end = out[0];
    for (int i = 0; i < 3; i++) {
        const int end = i == 0 ? out[1] : report[i - 1];
        if (end >= 0)
            (void)close(end); /* nothing was written */
    }
    if (p->read_end >= 0)
        (void)fcntl(p->read_end, F_SETFL, O_NONBLOCK); /* so that the last reads do not wait for descendants that still
                                                        * have the pipe open */
    return status;
}

/* ---- Waiting and ending ---- */

static bool has_ended(const process *p)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)p->id, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

static sq_status watch(process *p)
{
    char line[LINE_BYTES + 32];
    while (!has_ended(p)) {
        if (sq_signals_received())
            return sq_fail(SQ_INTERRUPTED, "%s: stopped by %s", p->options->name, sq_signals_name());
        const double left = p->deadline - sq_seconds_now();
        if (left <= 0)
            return sq_fail(SQ_DEVICE, "%s: still running after %g seconds, the time limit%s", p->options->name,
                           p->options->limit_seconds, describe_last_line(line, p));
        if (is_readable(p, left < 1e-3 * WAKE_MS ? 1 + (int)(1e3 * left) : WAKE_MS))
            SQ_TRY(take(p));
    }
    return SQ_OK;
}

/* Kills all processes that are left in the group, and reaps the child. */
static void end(process *p, int *state)
{
    (void)kill(-p->id, SIGKILL); /* fails if no process is left */
    while (waitpid(p->id, state, 0) < 0 && errno == EINTR)
        continue;
    p->id = 0;
}

/* Reads the rest of the pipe. The number of reads is limited, because a process that left the group may still be
 * writing. */
static sq_status take_rest(process *p)
{
    for (int i = 0; i < LAST_READS && p->read_end >= 0 && is_readable(p, 0); i++)
        SQ_TRY(take(p));
    return SQ_OK;
}

static sq_status judge(const process *p, int state)
{
    char line[LINE_BYTES + 32];
    if (WIFSIGNALED(state))
        return sq_fail(SQ_DEVICE, "%s: ended by signal %d (%s)%s", p->options->name, WTERMSIG(state),
                       strsignal(WTERMSIG(state)), describe_last_line(line, p));
    if (WEXITSTATUS(state))
        return sq_fail(SQ_DEVICE, "%s: exit status %d%s", p->options->name, WEXITSTATUS(state),
                       describe_last_line(line, p));
    return SQ_OK;
}

sq_status sq_process_run(sq_process_output *out, const sq_process_options *options)
{
    process p = {.options = options, .read_end = -1, .deadline = sq_seconds_now() + options->limit_seconds};
    int state = 0;
    sq_status status = make_room(&p);
    if (status == SQ_OK) {
        p.output.text[0] = 0;
        status = start(&p);
    }
    if (status == SQ_OK)
        status = watch(&p);
    if (p.id)
        end(&p, &state);
    if (status == SQ_OK)
        status = take_rest(&p);
    if (status == SQ_OK)
        status = judge(&p, state);
    if (p.read_end >= 0)
        (void)close(p.read_end); /* only read */
    CPU_FREE(p.cores);
    if (status == SQ_OK)
        *out = p.output;
    else
        free(p.output.text);
    return status;
}

void sq_process_clear(sq_process_output *output)
{
    free(output->text);
    *output = (sq_process_output){.text = NULL};
}
