/* Signals: the handler, the dispositions that it replaces, and sending. */

#include <sys/mman.h>

/* The disposition of a signal from before its first watch. */
typedef struct lipc__disposition {
    struct sigaction before;
    void (*forwards)(int, siginfo_t *, void *); /* the previous handler, if it is to be called: one of these two */
    void (*forwards_plainly)(int);
} lipc__disposition;

static lipc__disposition lipc__dispositions[LIPC__SIGNALS];

/* ----------------------------------------- The handler ------------------------------------------ */

static void lipc__signal_describe(int signal, const siginfo_t *from, lipc_signal_info *ret_info) {
    const int code = from->si_code;
    const bool child = signal == SIGCHLD && code >= CLD_EXITED && code <= CLD_CONTINUED;
    bool sender = child || code == SI_USER || code == SI_QUEUE;
    bool value = code == SI_QUEUE || code == SI_TIMER;
#ifdef SI_TKILL
    sender = sender || code == SI_TKILL;
#endif
#ifdef SI_LWP
    sender = sender || code == SI_LWP;
#endif
#ifdef SI_ASYNCIO
    value = value || code == SI_ASYNCIO;
#endif
#ifdef SI_MESGQ
    value = value || code == SI_MESGQ;
#endif
    memset(ret_info, 0, sizeof *ret_info);
    ret_info->size = sizeof *ret_info;
    ret_info->signal = signal;
    ret_info->code = code;
    /* If Linux has no memory to note who called kill(2), it reports process 0 and user 0, which would be root. */
    bool known = sender && from->si_pid > 0;
    ret_info->pid = known ? from->si_pid : -1;
    ret_info->uid = known ? (int64_t)from->si_uid : -1;
    if (value)
        ret_info->value = from->si_value.sival_int;
    if (child)
        ret_info->status = from->si_status;
}

/* For a child that fork(2) created, which has not used watches of its own: restores the previous disposition, and
 * applies it to the signal. The signal is blocked here, so one that is sent again comes when the handler returns. */
static void lipc__signal_give_back(int signal, siginfo_t *from, void *context) {
    const struct sigaction *before = &lipc__dispositions[signal].before;
    sigaction(signal, before, NULL);
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(signal, from, context);
    else if (before->sa_handler == SIG_DFL)
        kill(getpid(), signal);
    else if (before->sa_handler != SIG_IGN)
        before->sa_handler(signal);
}

static void lipc__signal_handle(int signal, siginfo_t *from, void *context) {
    const int os = errno;
    lipc__disposition *d = &lipc__dispositions[signal];
    if (lipc__load(&lipc__signals.process) != lipc__process()) {
        lipc__signal_give_back(signal, from, context);
    } else {
        lipc_signal_info info;
        lipc__signal_describe(signal, from, &info);
        bool is_stop = signal == SIGCHLD && (info.code == CLD_STOPPED || info.code == CLD_CONTINUED);
        lipc__signal_record(signal, &info, is_stop);
        void (*forwards)(int, siginfo_t *, void *) = __atomic_load_n(&d->forwards, __ATOMIC_ACQUIRE);
        void (*forwards_plainly)(int) = __atomic_load_n(&d->forwards_plainly, __ATOMIC_ACQUIRE);
        if (forwards != NULL)
            forwards(signal, from, context);
        else if (forwards_plainly != NULL)
            forwards_plainly(signal);
    }
    errno = os;
}

/* ---------------------------------------- Installing it ----------------------------------------- */

/* Not malloc(3), whose lock another thread may have held when this process was forked. */
static void *lipc__pages(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void lipc__pages_free(void *memory, size_t size) {
    munmap(memory, size);
}

/* A child that fork(2) created can have the process id of the process whose watches it inherited: 1 in a namespace of
 * its own, pid_namespaces(7), or that of an ancestor that has ended. So a process also has a mark, in a page that the
 * system fills with zeroes in a child. A child that vfork(2) created shares the page, but not the process id. */
static uint32_t *lipc__mark;     /* NULL: there never was a watch */
static uint32_t lipc__no_mark;   /* in place of the page where the system has no such pages */
static uint32_t lipc__last_mark; /* goes on in children */

static bool lipc__wipe_on_fork(void *page, size_t size) {
#if defined(MADV_WIPEONFORK) && !defined(LIPC_PLAIN_POSIX) /* Linux 4.14 */
    return madvise(page, size, MADV_WIPEONFORK) == 0;
#elif defined(INHERIT_ZERO) && !defined(LIPC_PLAIN_POSIX) /* FreeBSD */
    return minherit(page, size, INHERIT_ZERO) == 0;
#elif defined(MAP_INHERIT_ZERO) && !defined(LIPC_PLAIN_POSIX) /* OpenBSD, NetBSD */
    return minherit(page, size, MAP_INHERIT_ZERO) == 0;
#else
    (void)page, (void)size;
    return false;
#endif
}

static void lipc__process_mark(void) {
    const size_t size = sizeof *lipc__mark; /* the system rounds it up to a page */
    if (__atomic_load_n(&lipc__mark, __ATOMIC_ACQUIRE) == NULL) {
        uint32_t *page = lipc__pages(size), *none = NULL;
        bool wiped = page != NULL && lipc__wipe_on_fork(page, size);
        bool first = __atomic_compare_exchange_n(&lipc__mark, &none, wiped ? page : &lipc__no_mark, false,
                                                 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        if (page != NULL && !(wiped && first))
            lipc__pages_free(page, size);
    }
    if (lipc__load(lipc__mark) == 0)
        lipc__replace(lipc__mark, 0, lipc__add(&lipc__last_mark, 1) + 1);
}

static uint32_t lipc__process(void) {
    const uint32_t *mark = __atomic_load_n(&lipc__mark, __ATOMIC_ACQUIRE);
    return (uint32_t)getpid() + (mark == NULL ? 0 : lipc__load(mark) << 22); /* process ids of Linux have 22 bits */
}

static int lipc__signal_index(int signal) {
    switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case LIPC_SIGNAL_BREAK:
    case LIPC_SIGNAL_CLOSE:
    case LIPC_SIGNAL_LOGOFF:
    case LIPC_SIGNAL_SHUTDOWN: return lipc__fault(LIPC_ENOTSUP);
    case SIGKILL:
    case SIGSTOP: return lipc__fault(LIPC_EINVAL);
    default: return signal > 0 && signal < LIPC__SIGNALS ? signal : lipc__fault(LIPC_EINVAL);
    }
}

/* Sets whether the previous handler is called. */
static void lipc__signal_set_forward(lipc__disposition *d, bool on) {
    const struct sigaction *before = &d->before;
    bool informed = before->sa_flags & SA_SIGINFO;
    bool plain = !informed && before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN;
    __atomic_store_n(&d->forwards, on && informed ? before->sa_sigaction : NULL, __ATOMIC_RELEASE);
    __atomic_store_n(&d->forwards_plainly, on && plain ? before->sa_handler : NULL, __ATOMIC_RELEASE);
}

static bool lipc__signal_is_ours(const struct sigaction *action) {
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == lipc__signal_handle;
}

/* A handler that another part of the program has installed meanwhile stays, unless a watch begins. */
static int lipc__signal_install(int signal, const lipc__signal_wish *wish, bool begins) {
    lipc__disposition *d = &lipc__dispositions[signal];
    struct sigaction now, ours;
    if (SYS(sigaction(signal, NULL, &now)) < 0)
        return lipc__error_from(errno);
    bool is_ours = lipc__signal_is_ours(&now);
    if (!is_ours && !begins)
        return 0;
    if (!is_ours)
        d->before = now;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = lipc__signal_handle;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (wish->interrupts ? 0 : SA_RESTART) |
                    (signal == SIGCHLD && !wish->child_stops ? SA_NOCLDSTOP : 0);
    sigfillset(&ours.sa_mask);
    lipc__signal_set_forward(d, wish->forwards); /* before a signal can come */
    return SYS(sigaction(signal, &ours, NULL)) < 0 ? lipc__error_from(errno) : 0;
}

/* It goes on to forward: another thread may be at the beginning of the handler. */
static void lipc__signal_restore(int signal) {
    struct sigaction now;
    if (sigaction(signal, NULL, &now) == 0 && lipc__signal_is_ours(&now))
        sigaction(signal, &lipc__dispositions[signal].before, NULL);
}

/* ------------------------------------------ The bell -------------------------------------------- */

/* A pair of sockets: unlike a pipe, it raises no SIGPIPE in a handler if its other end was closed by mistake. */
static int lipc__signal_bell(lipc_handle *ret_handle, lipc_handle *ret_bell) {
    return lipc_pair(LIPC_STREAM, ret_handle, ret_bell);
}

static void lipc__signal_bell_close(lipc_handle handle, lipc_handle bell) {
    close((int)handle);
    close((int)bell);
}

/* Handlers call it, so it does not use the seam for faults. Nor does it use send(3) where it can do without: that is a
 * cancellation point, and a thread that is cancelled in a handler leaves the watch in use for ever. */
static bool lipc__signal_ring(lipc_handle bell) {
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
#if defined(__linux__) && defined(SYS_sendto)
    long n = syscall(SYS_sendto, (int)bell, "", (size_t)1, flags, NULL, 0L);
    if (n >= 0 || errno != ENOSYS) /* before Linux 4.3 32-bit x86 has only socketcall(2) */
        return n == 1;
#endif
    return send((int)bell, "", 1, flags) == 1;
}

static int lipc__signal_hush(lipc_handle handle) {
    char bytes[16];
    ssize_t n = SYS(lipc__sys_recv((int)handle, bytes, sizeof bytes, MSG_DONTWAIT));
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return lipc__error_from(errno);
    return n == 0 ? lipc__fault(LIPC_EBADF) : n > 0; /* 0: the other end was closed by mistake */
}

static int lipc__signal_await(lipc_handle handle, lipc__deadline *deadline) {
    errno = EAGAIN;
    return lipc__retry((int)handle, POLLIN, deadline);
}

/* ------------------------------------------ Sending --------------------------------------------- */

int lipc_signal_realtime(int n) {
#if defined(SIGRTMIN) && !defined(LIPC_PLAIN_POSIX)
    return n >= 0 && n <= SIGRTMAX - SIGRTMIN ? SIGRTMIN + n : lipc__fault(LIPC_EINVAL);
#else
    (void)n;
    return lipc__fault(LIPC_ENOTSUP);
#endif
}

static int lipc__signal_sent(int result) {
    if (result >= 0)
        return 0;
    return errno == ESRCH ? lipc__error(LIPC_ENOENT, ESRCH) : lipc__error_from(errno);
}

/* Returns whether a number can be a process id. With 0 and negative numbers kill(2) would mean several processes. */
static bool lipc__is_process(int64_t pid) {
    return pid > 0 && pid <= INT_MAX;
}

int lipc_signal_send(int64_t pid, int signal) {
    return lipc__is_process(pid) ? lipc__signal_sent(SYS(kill((pid_t)pid, signal))) : lipc__fault(LIPC_EINVAL);
}

int lipc_signal_send_group(int64_t group, int signal) {
    if (group != 0 && (!lipc__is_process(group) || group == 1))
        return lipc__fault(LIPC_EINVAL);
    return lipc__signal_sent(SYS(kill((pid_t)-group, signal)));
}

int lipc_signal_queue(int64_t pid, int signal, int value) {
    if (!lipc__is_process(pid))
        return lipc__fault(LIPC_EINVAL);
#ifdef LIPC__QUEUES_SIGNALS
    union sigval carried;
    memset(&carried, 0, sizeof carried);
    carried.sival_int = value;
    return lipc__signal_sent(SYS(sigqueue((pid_t)pid, signal, carried)));
#else
    (void)signal, (void)value;
    return lipc__fault(LIPC_ENOTSUP);
#endif
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
#define LIPC__SIGNALS_THREADS 1

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424 /* Linux 5.1; Alpha has another */
#endif

/* Returns what sigqueue(3) passes to the kernel. */
static siginfo_t lipc__signal_claim(int signal, int value) {
    siginfo_t claim;
    memset(&claim, 0, sizeof claim);
    claim.si_signo = signal;
    claim.si_code = SI_QUEUE;
    claim.si_pid = getpid();
    claim.si_uid = getuid();
    claim.si_value.sival_int = value;
    return claim;
}

static int lipc__sys_pidfd_send_signal(int pidfd, int signal, siginfo_t *claim) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, claim, 0);
}

static int lipc__sys_tgkill(int64_t pid, int64_t thread, int signal) {
    return (int)syscall(SYS_tgkill, (pid_t)pid, (pid_t)thread, signal);
}

static int lipc__sys_tgsigqueue(int64_t pid, int64_t thread, int signal, siginfo_t *claim) {
    return (int)syscall(SYS_rt_tgsigqueueinfo, (pid_t)pid, (pid_t)thread, signal, claim);
}

int lipc_signal_send_pidfd(lipc_handle pidfd, int signal) {
    return lipc__signal_sent(SYS(lipc__sys_pidfd_send_signal((int)pidfd, signal, NULL)));
}

int lipc_signal_queue_pidfd(lipc_handle pidfd, int signal, int value) {
    siginfo_t claim = lipc__signal_claim(signal, value);
    return lipc__signal_sent(SYS(lipc__sys_pidfd_send_signal((int)pidfd, signal, &claim)));
}

int lipc_signal_send_thread(int64_t pid, int64_t thread, int signal) {
    if (!lipc__is_process(pid) || !lipc__is_process(thread))
        return lipc__fault(LIPC_EINVAL);
    return lipc__signal_sent(SYS(lipc__sys_tgkill(pid, thread, signal)));
}

int lipc_signal_queue_thread(int64_t pid, int64_t thread, int signal, int value) {
    if (!lipc__is_process(pid) || !lipc__is_process(thread))
        return lipc__fault(LIPC_EINVAL);
    siginfo_t claim = lipc__signal_claim(signal, value);
    return lipc__signal_sent(SYS(lipc__sys_tgsigqueue(pid, thread, signal, &claim)));
}

#endif
