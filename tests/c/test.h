/* The test harness. A test is TEST(a_sentence_about_behaviour) { ... }; it runs in a process of its own, in a
 * directory of its own (test_directory), and fails if a check fails, if it takes longer than a minute, if a
 * sanitizer complains, or if it leaves a descriptor, a thread, or anything in the directory behind. On Windows, where
 * it has no directory, it fails if it leaves a handle behind.
 *
 * A failed check ends its process. A process that a test forks ends with _exit(0), see fixture.h. */
#ifndef LIPC_TEST_H
#define LIPC_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#define _FILE_OFFSET_BITS 64 /* as in csrc/unix/system.h */
#define _TIME_BITS 64
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1

#ifdef _WIN32
#define _WIN32_WINNT 0x0A00 /* Windows 10 */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lipc.h"

typedef struct test {
    const char *name;
    void (*body)(void);
    struct test *next;
} test;

enum test_outcome { TEST_PASSED = 0, TEST_FAILED = 1, TEST_LEFT_OUT = 77 };
enum { TEST_SECONDS = 60 };

static test *test_first, **test_last __attribute__((unused)) = &test_first; /* a file may have no test for a system */
static const char *test_row = ""; /* which row of a table is being tested, for messages */

#define TEST(name) \
    static void name(void); \
    __attribute__((constructor)) static void register_##name(void) { \
        static test t = {#name, name, NULL}; \
        *test_last = &t; \
        test_last = &t.next; \
    } \
    static void name(void)

/* ------------------------------------------ Checks ---------------------------------------------- */

/* The error of the last system call, and its text. */
#ifdef _WIN32
#define TEST_PRINTF __MINGW_PRINTF_FORMAT
static inline int test_errno(void) {
    return (int)GetLastError();
}
static inline const char *test_system_text(int error) {
    static char text[256];
    if (FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, (DWORD)error, 0, text,
                       sizeof text, NULL) == 0)
        return "unknown";
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}
#else
#define TEST_PRINTF printf
static inline int test_errno(void) {
    return errno;
}
static inline const char *test_system_text(int error) {
    return strerror(error);
}
#endif

__attribute__((format(TEST_PRINTF, 3, 4), noreturn)) static inline void test_fail(const char *file, int line,
                                                                                  const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s:%d: %s%s%s%s\n", file, line, text, *test_row ? " (" : "", test_row, *test_row ? ")" : "");
    _exit(TEST_FAILED);
}

static inline void test_check_int(const char *file, int line, const char *what, int64_t wanted, int64_t got) {
    if (wanted != got)
        test_fail(file, line, "%s: wanted %lld, got %lld", what, (long long)wanted, (long long)got);
}

static inline void test_check_string(const char *file, int line, const char *what, const char *wanted,
                                     const char *got) {
    if (strcmp(wanted, got) != 0)
        test_fail(file, line, "%s: wanted \"%s\", got \"%s\"", what, wanted, got);
}

/* code 0: any success */
static inline int64_t test_check_result(const char *file, int line, const char *what, int code, int64_t got) {
    if (lipc_error_code(got) != code)
        test_fail(file, line, "%s: wanted %s, got %s (%lld, errno %d, %s)", what,
                  lipc_error_name(-((int64_t)code << LIPC_ERROR_OS_BITS)), lipc_error_name(got), (long long)got,
                  lipc_error_os(got), test_system_text(lipc_error_os(got)));
    return got;
}

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition) ((condition) ? (void)0 : FAIL("%s is not so (errno %d)", #condition, test_errno()))
#define CHECK_INT(wanted, got) test_check_int(__FILE__, __LINE__, #got, wanted, got)
#define CHECK_STRING(wanted, got) test_check_string(__FILE__, __LINE__, #got, wanted, got)
/* For results, which both return. */
#define CHECK_OK(result) test_check_result(__FILE__, __LINE__, #result, 0, result)
#define CHECK_ERROR(code, result) test_check_result(__FILE__, __LINE__, #result, code, result)

#ifdef _WIN32
#include "test_windows.h"
#else

static pid_t test_process;
enum { TEST_OUTPUT = STDERR_FILENO };
static char test_directory[32]; /* short, since sun_path is */

/* Ends a test that has to become other users, unless it runs as root. In CI that is a failure. */
#define NEEDS_ROOT() \
    do { \
        if (geteuid() != 0) \
            exit(TEST_LEFT_OUT); \
    } while (0)

/* ------------------------------------ What a test left behind ----------------------------------- */

/* A leak takes the lowest free descriptor, so only the first ones are compared. */
enum { TEST_DESCRIPTORS = 256 };

typedef struct test_open {
    struct {
        bool open;
        dev_t device;
        ino_t inode;
    } at[TEST_DESCRIPTORS];
} test_open;

static inline void test_descriptors(test_open *ret_open) {
    memset(ret_open, 0, sizeof *ret_open);
    for (int fd = 0; fd < TEST_DESCRIPTORS; fd++) {
        struct stat st;
        if (fstat(fd, &st) < 0)
            continue;
        ret_open->at[fd].open = true;
        ret_open->at[fd].device = st.st_dev;
        ret_open->at[fd].inode = st.st_ino;
    }
}

static inline void test_same_descriptors(const test_open *before) {
    test_open now;
    test_descriptors(&now);
    for (int fd = 0; fd < TEST_DESCRIPTORS; fd++) {
        if (before->at[fd].open != now.at[fd].open)
            FAIL("descriptor %d was left %s", fd, now.at[fd].open ? "open" : "closed");
        if (before->at[fd].device != now.at[fd].device || before->at[fd].inode != now.at[fd].inode)
            FAIL("descriptor %d was replaced by another", fd);
    }
}

/* Returns how many entries a directory has besides "." and "..", or -1 if there is no directory, and the last name. */
static inline int test_entries(const char *directory, char *ret_last, size_t size) {
    DIR *d = opendir(directory);
    if (d == NULL)
        return -1;
    int n = 0;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(ret_last, size, "%s", entry->d_name);
        n++;
    }
    closedir(d);
    return n;
}

static inline void test_directory_empty(void) {
    char name[300];
    /* Where namespaced names are files, the library leaves their directory. */
    snprintf(name, sizeof name, "%s/lipc", test_directory);
    rmdir(name);
    if (test_entries(test_directory, name, sizeof name) != 0)
        FAIL("%s was left behind", name);
}

/* The thread sanitizer starts a thread of its own with the first other one. It reports those that are left. */
extern void __tsan_init(void) __attribute__((weak));

static inline int test_threads(void) {
    char name[300];
    return __tsan_init != NULL ? -1 : test_entries("/proc/self/task", name, sizeof name); /* Linux; -1 elsewhere */
}

/* ------------------------------------------ Running --------------------------------------------- */

/* The process of one test. */
__attribute__((noreturn)) static inline void test_be(const test *t) {
    signal(SIGALRM, SIG_DFL);
    signal(SIGHUP, SIG_DFL); /* nohup(1) ignores it, shells ignore the others in background jobs */
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    setenv("XDG_RUNTIME_DIR", test_directory, 1);
    test_open before;
    test_descriptors(&before);
    int threads = test_threads();
    t->body();
    test_same_descriptors(&before);
    for (int i = 0; test_threads() != threads; i++) { /* a thread that was joined may still be ending */
        if (i == 1000)
            FAIL("threads: %d before, %d after", threads, test_threads());
        poll(NULL, 0, 1);
    }
    test_directory_empty();
    exit(TEST_PASSED); /* not _exit(): the leak sanitizer runs at exit */
}

static inline void test_out_of_time(int signal_number) {
    (void)signal_number;
    kill(-test_process, SIGKILL);
}

static inline int test_remove(const char *path, const struct stat *st, int type, struct FTW *walk) {
    (void)st, (void)type, (void)walk;
    return remove(path);
}

/* How long a test may take. */
static inline unsigned test_seconds(void) {
    const char *seconds = getenv("LIPC_TEST_SECONDS");
    return seconds == NULL ? TEST_SECONDS : (unsigned)atoi(seconds);
}

/* Runs a test; what it prints goes to output. */
static inline enum test_outcome test_run(const test *t, int output) {
    char directory[] = "/tmp/lipc.XXXXXX";
    if (mkdtemp(directory) == NULL)
        FAIL("mkdtemp: %s", strerror(errno));
    fflush(NULL);
    pid_t process = fork();
    if (process < 0)
        FAIL("fork: %s", strerror(errno));
    if (process == 0) {
        setpgid(0, 0);
        if (output != STDERR_FILENO && (dup2(output, STDERR_FILENO) < 0 || close(output) < 0))
            _exit(TEST_FAILED);
        strcpy(test_directory, directory);
        test_be(t);
    }
    setpgid(process, process); /* parent and child both call it, so that neither has to wait for the other */
    test_process = process;
    struct sigaction act;
    memset(&act, 0, sizeof act);
    act.sa_handler = test_out_of_time;
    sigaction(SIGALRM, &act, NULL);
    alarm(test_seconds());
    int status;
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            FAIL("waitpid: %s", strerror(errno));
    alarm(0);
    kill(-process, SIGKILL); /* what the test forked and did not end */
    nftw(directory, test_remove, 16, FTW_DEPTH | FTW_PHYS);
    if (WIFSIGNALED(status))
        dprintf(output, "%s: killed by signal %d\n", t->name, WTERMSIG(status));
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : TEST_FAILED;
    return code == TEST_PASSED ? TEST_PASSED : code == TEST_LEFT_OUT ? TEST_LEFT_OUT : TEST_FAILED;
}

#endif

/* Undefined behaviour is a failure, as are the findings of the address sanitizer. */
extern const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) {
    return "halt_on_error=1:print_stacktrace=1";
}

/* Whether the variable LIPC_TEST_LEAVE_OUT lists this name. It has spaces between names. */
static inline bool test_is_left_out(const char *name) {
    const char *names = getenv("LIPC_TEST_LEAVE_OUT");
    size_t length = strlen(name);
    for (const char *at = names; at != NULL && (at = strstr(at, name)) != NULL; at += length)
        if ((at == names || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* Runs all tests, or those whose names contain the argument. */
int main(int argc, char **argv) {
#ifdef _WIN32
    test_be_what_was_asked(argc, argv);
#endif
    int passed = 0, failed = 0, left_out = 0;
    for (const test *t = test_first; t != NULL; t = t->next) {
        if (argc > 1 && strstr(t->name, argv[1]) == NULL)
            continue;
        if (test_is_left_out(t->name)) {
            left_out++;
            continue;
        }
        enum test_outcome outcome = test_run(t, TEST_OUTPUT);
        if (outcome == TEST_LEFT_OUT) {
            fprintf(stderr, "%s: left out; missing: root, to become another user, setuid(2)\n", t->name);
            outcome = getenv("CI") != NULL ? TEST_FAILED : TEST_LEFT_OUT;
        }
        if (outcome == TEST_FAILED)
            fprintf(stderr, "%s: FAILED\n", t->name);
        passed += outcome == TEST_PASSED;
        failed += outcome == TEST_FAILED;
    }
    printf("%d passed, %d failed", passed, failed);
    if (left_out > 0)
        printf(", %d left out", left_out);
    printf("\n");
    return failed > 0;
}

#endif
