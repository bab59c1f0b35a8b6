/* The harness itself: it must find what a test leaves behind, or the other tests would show nothing. */
#include "fixture.h"

#include <pthread.h>

static void clean(void) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener_close(listen_on(&name));
}

static void leaks_a_descriptor(void) {
    CHECK(dup(STDERR_FILENO) >= 0);
}

static void closes_a_descriptor(void) {
    close(STDIN_FILENO);
}

static void replaces_a_descriptor(void) {
    int ends[2];
    CHECK(pipe(ends) == 0 && dup2(ends[0], STDIN_FILENO) >= 0);
    close(ends[0]);
    close(ends[1]);
}

static void leaves_a_socket_file(void) {
    make_stale("s");
}

static void leaves_a_lock_file(void) {
    close(open(in_directory("s.lock"), O_CREAT | O_RDWR, 0600));
}

static void fails_a_check(void) {
    CHECK_INT(1, 2);
}

static void fails_a_check_of_a_result(void) {
    CHECK_OK(lipc_close(LIPC_INVALID_HANDLE));
}

static void is_killed(void) {
    raise(SIGKILL);
}

static void has_a_child_that_fails(const void *unused) {
    (void)unused;
    ready();
    CHECK_STRING("wanted", "got");
}

static void fails_in_a_child(void) {
    join(start(has_a_child_that_fails, NULL));
}

/* Runs a test within this one. Returns its outcome and what it printed. */
static enum test_outcome outcome_of(void (*body)(void), char *ret_output, size_t size) {
    test inner = {"inner", body, NULL};
    int ends[2];
    CHECK(pipe(ends) == 0);
    enum test_outcome outcome = test_run(&inner, ends[1]);
    close(ends[1]);
    ssize_t n = read(ends[0], ret_output, size - 1);
    ret_output[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    return outcome;
}

TEST(a_clean_test_passes) {
    char output[1000];
    CHECK_INT(TEST_PASSED, outcome_of(clean, output, sizeof output));
    CHECK_STRING("", output);
}

TEST(what_is_left_behind_or_wrong_fails_the_test_and_is_named) {
    static const struct {
        void (*body)(void);
        const char *name, *said;
    } rows[] = {
        {leaks_a_descriptor, "a descriptor leaked", "was left open"},
        {closes_a_descriptor, "a descriptor closed", "descriptor 0 was left closed"},
        {replaces_a_descriptor, "a descriptor replaced", "descriptor 0 was replaced"},
        {leaves_a_socket_file, "a socket file left", "s was left behind"},
        {leaves_a_lock_file, "a lock file left", "s.lock was left behind"},
        {fails_a_check, "a check", "2: wanted 1, got 2"},
        {fails_a_check_of_a_result, "a result", "wanted success, got LIPC_EBADF"},
        {is_killed, "a signal", "killed by signal 9"},
        {fails_in_a_child, "a child", "wanted \"wanted\", got \"got\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char output[2000];
        test_row = rows[i].name;
        CHECK_INT(TEST_FAILED, outcome_of(rows[i].body, output, sizeof output));
        if (strstr(output, rows[i].said) == NULL)
            FAIL("wanted \"%s\" in \"%s\"", rows[i].said, output);
    }
}

#ifdef __linux__ /* which tells how many threads there are */

static void *sleep_for_ever(void *unused) {
    (void)unused;
    stay();
}

static void leaks_a_thread(void) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0);
    pthread_detach(thread);
}

TEST(a_thread_left_behind_fails_the_test) {
    char output[2000];
    CHECK_INT(TEST_FAILED, outcome_of(leaks_a_thread, output, sizeof output));
    CHECK(strstr(output, "threads: 1 before, 2 after") != NULL);
}

#endif

#ifndef __has_feature /* for clang; gcc has a macro */
#define __has_feature(feature) 0
#endif

#if defined(__linux__) && (defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer))

static void leaks_memory(void) {
    char *volatile lost = malloc(1000);
    CHECK(lost != NULL);
    lost = NULL;
}

TEST(memory_left_behind_fails_the_test) {
    char output[20000];
    CHECK_INT(TEST_FAILED, outcome_of(leaks_memory, output, sizeof output));
    CHECK(strstr(output, "LeakSanitizer") != NULL);
}

#endif
