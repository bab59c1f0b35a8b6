/* The harness itself: it must find what a test leaves behind, or the other tests would show nothing. */
#include "fixture.h"

CHILD(clean) {
    lipc_name name;
    CHECK_OK(lipc_name_parse("@x", LIPC_STRLEN, &name));
    CloseHandle(CreateEventW(NULL, TRUE, FALSE, NULL));
}

CHILD(leaks_an_event) {
    CHECK(CreateEventW(NULL, TRUE, FALSE, NULL) != NULL);
}

CHILD(leaks_a_pipe) {
    HANDLE reader, writer;
    CHECK(CreatePipe(&reader, &writer, NULL, 0) && CloseHandle(writer));
}

CHILD(leaks_a_process) {
    CHECK(OpenProcess(SYNCHRONIZE, FALSE, GetCurrentProcessId()) != NULL);
}

CHILD(leaks_a_completion_port) {
    CHECK(CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0) != NULL);
}

CHILD(closes_a_handle) {
    CHECK(CloseHandle(GetStdHandle(STD_ERROR_HANDLE)));
    SetStdHandle(STD_ERROR_HANDLE, GetStdHandle(STD_OUTPUT_HANDLE));
}

CHILD(fails_a_check) {
    CHECK_INT(1, 2);
}

CHILD(fails_a_check_of_a_result) {
    lipc_name name;
    CHECK_OK(lipc_name_parse("", 0, &name));
}

CHILD(crashes) {
    volatile int *nowhere = NULL;
    *nowhere = 1;
}

CHILD(does_not_fail_itself) {
    CHECK_STRING("wanted", "got");
}

CHILD(fails_in_another_process) {
    child c = start("does_not_fail_itself");
    join(&c);
}

CHILD(says_what_it_is_told) {
    for (;;)
        say(listen_to_test());
}

/* Runs a CHILD as a test within this one. Returns its outcome and what it printed. */
static enum test_outcome outcome_of(const char *name, char *ret_output, size_t size) {
    HANDLE reader, writer;
    DWORD n, length = 0;
    CHECK(CreatePipe(&reader, &writer, NULL, 0));
    enum test_outcome outcome = test_run(test_find(test_first_child, name), writer);
    CHECK(CloseHandle(writer));
    while (length < size - 1 && ReadFile(reader, ret_output + length, (DWORD)size - 1 - length, &n, NULL) && n > 0)
        length += n;
    ret_output[length] = '\0';
    CHECK(CloseHandle(reader));
    return outcome;
}

TEST(a_clean_test_passes) {
    char output[1000];
    CHECK_INT(TEST_PASSED, outcome_of("clean", output, sizeof output));
    CHECK_STRING("", output);
}

TEST(what_is_left_behind_or_wrong_fails_the_test_and_is_named) {
    static const struct {
        const char *child, *said;
    } rows[] = {
        {"leaks_an_event", "a Event, was left open"},
        {"leaks_a_pipe", "a File, was left open"},
        {"leaks_a_process", "a Process, was left open"},
        {"leaks_a_completion_port", "a IoCompletion, was left open"},
        {"closes_a_handle", ""},
        {"fails_a_check", "2: wanted 1, got 2"},
        {"fails_a_check_of_a_result", "wanted success, got LIPC_ENAME"},
        {"crashes", "ended with code 0xc0000005"},
        {"fails_in_another_process", "wanted \"wanted\", got \"got\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char output[2000];
        test_row = rows[i].child;
        CHECK_INT(TEST_FAILED, outcome_of(rows[i].child, output, sizeof output));
        if (strstr(output, rows[i].said) == NULL)
            FAIL("wanted \"%s\" in \"%s\"", rows[i].said, output);
    }
}

TEST(another_process_is_talked_to_in_lines) {
    child c = start("says_what_it_is_told");
    tell(&c, "once");
    tell(&c, "and again");
    expect(&c, "once");
    expect(&c, "and again");
    join(&c);
}

TEST(another_process_can_be_killed) {
    child c = start("says_what_it_is_told");
    tell(&c, "here");
    expect(&c, "here");
    kill_hard(&c);
}
