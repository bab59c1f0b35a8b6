/* Events of consoles. A child that is sent one is a process group of its own, so that this process and its parent do
 * not get it. */
#include "fixture.h"
#include "lipc_signal.h"

static lipc_handle watch_with(int signal, const lipc_signal_options *options) {
    lipc_handle watch = LIPC_INVALID_HANDLE;
    CHECK_OK(lipc_signal_watch(&signal, 1, options, &watch));
    return watch;
}

static void say_number(int number) {
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    say(text);
}

/* Has the system's own routine call this process's handlers, in a thread of its own, as for an event. */
static void raise_event(DWORD event) {
    union {
        FARPROC found;
        LPTHREAD_START_ROUTINE routine;
    } control = {.found = GetProcAddress(GetModuleHandleA("kernel32.dll"), "CtrlRoutine")};
    CHECK(control.found != NULL);
    HANDLE thread = CreateThread(NULL, 0, control.routine, (void *)(uintptr_t)event, 0, NULL);
    CHECK(thread != NULL && CloseHandle(thread));
}

/* Starts a child as a process group, with a console that it shares with this process alone. */
static child start_group(const char *arguments) {
    static const DWORD standard[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    HANDLE handles[COUNT(standard)];
    if (on_wine())
        return start("%s", arguments);
    for (size_t i = 0; i < COUNT(standard); i++)
        handles[i] = GetStdHandle(standard[i]);
    FreeConsole();
    CHECK(AllocConsole());
    for (size_t i = 0; i < COUNT(standard); i++)
        CHECK(SetStdHandle(standard[i], handles[i]));
    test_creation_flags = CREATE_NEW_PROCESS_GROUP;
    child c = start("%s", arguments);
    test_creation_flags = 0;
    return c;
}

/* Sends Ctrl-Break to a child. Wine 8 cannot send it, so there the child raises it itself, as no process group, which
 * Wine keeps all events from. */
static void send_break(const child *c) {
    if (on_wine())
        tell(c, "raise");
    else
        CHECK_OK(lipc_signal_send_group(c->id, LIPC_SIGNAL_BREAK));
}

/* Begins the wait of a child for what send_break() sends. */
static void expect_break(void) {
    if (on_wine()) {
        listen_to_test();
        raise_event(CTRL_BREAK_EVENT);
    }
}

/* Watches in two ways, and says what comes to each. */
CHILD(say_breaks) {
    lipc_handle first = watch_with(LIPC_SIGNAL_BREAK, NULL), second = watch_with(LIPC_SIGNAL_BREAK, NULL);
    lipc_signal_info info = {.size = sizeof info};
    CHECK(!is_signalled(first));
    say("ready");
    expect_break();
    wait_for(first);
    CHECK_OK(lipc_signal_next(first, 0, &info));
    CHECK_INT(LIPC_SIGNAL_BREAK, info.signal);
    CHECK_INT(0, info.code);
    CHECK_INT(-1, info.pid);
    CHECK_INT(-1, info.uid);
    CHECK_ERROR(LIPC_EAGAIN, lipc_signal_next(first, 0, &info));
    CHECK(!is_signalled(first));
    CHECK_OK(lipc_signal_next(second, WAIT, &info));
    CHECK_OK(lipc_signal_close(first));
    say_number(info.signal);
    expect_break();
    CHECK_OK(lipc_signal_next(second, WAIT, &info));
    say_number(info.signal);
    CHECK_OK(lipc_signal_close(second));
    say("closed");
    expect_break();
    listen_to_test();
}

TEST(a_break_comes_to_the_watches_and_ends_a_process_that_watches_no_more) {
    child c = start_group("say_breaks");
    DWORD code;
    expect(&c, "ready");
    for (int i = 0; i < 2; i++) {
        send_break(&c);
        expect(&c, "1001");
    }
    expect(&c, "closed");
    send_break(&c);
    CHECK(WaitForSingleObject(c.process, WAIT) == WAIT_OBJECT_0 && GetExitCodeProcess(c.process, &code));
    CHECK_INT(on_wine() ? 0 : (int)STATUS_CONTROL_C_EXIT, (int)code); /* although it waits for its input */
    forget(&c);
    FreeConsole();
}

/* The handler of such an event must not return, so that the program can clean up. */
CHILD(clean_up) {
    const int ends[] = {LIPC_SIGNAL_CLOSE, LIPC_SIGNAL_LOGOFF, LIPC_SIGNAL_SHUTDOWN};
    lipc_signal_info info = {.size = sizeof info};
    lipc_handle watch;
    int end = atoi(child_arguments[0]);
    CHECK_OK(lipc_signal_watch(ends, COUNT(ends), NULL, &watch));
    raise_event((DWORD)end - 1000);
    CHECK_OK(lipc_signal_next(watch, WAIT, &info));
    say_number(info.signal);
    listen_to_test();
}

TEST(a_process_that_is_to_end_can_clean_up) {
    const char *const ends[] = {"1002", "1005", "1006"};
    for (size_t i = 0; i < COUNT(ends); i++) {
        child c = start("clean_up %s", ends[i]);
        expect(&c, ends[i]);
        join(&c); /* by itself */
    }
}

static BOOL WINAPI handle_before(DWORD event) {
    say(event == CTRL_BREAK_EVENT ? "before" : "another event");
    return TRUE;
}

CHILD(say_forwarded) {
    const lipc_signal_options options = {.size = sizeof options, .forwards = 1};
    lipc_signal_info info = {.size = sizeof info};
    CHECK(SetConsoleCtrlHandler(handle_before, TRUE));
    lipc_handle watch = watch_with(LIPC_SIGNAL_BREAK, &options);
    say("ready");
    expect_break();
    CHECK_OK(lipc_signal_next(watch, WAIT, &info));
    listen_to_test();
    CHECK_OK(lipc_signal_close(watch));
    say("closed");
    expect_break();
    listen_to_test();
}

TEST(the_handler_of_before_is_called_if_a_watch_forwards_and_when_it_is_closed) {
    child c = start_group("say_forwarded");
    expect(&c, "ready");
    send_break(&c);
    expect(&c, "before");
    tell(&c, "close");
    expect(&c, "closed");
    send_break(&c);
    expect(&c, "before");
    join(&c);
    FreeConsole();
}

TEST(a_watch_that_nothing_comes_to_waits_for_its_time) {
    const int all[] = {SIGINT, LIPC_SIGNAL_BREAK, LIPC_SIGNAL_CLOSE, LIPC_SIGNAL_LOGOFF, LIPC_SIGNAL_SHUTDOWN};
    lipc_signal_info info = {.size = sizeof info};
    lipc_handle watch;
    CHECK_OK(lipc_signal_watch(all, COUNT(all), NULL, &watch));
    check_born(watch);
    CHECK_ERROR(LIPC_EAGAIN, lipc_signal_next(watch, 0, &info));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_signal_next(watch, 1, &info));
    CHECK_OK(lipc_signal_close(watch));
    CHECK_ERROR(LIPC_EBADF, lipc_signal_close(watch));
    CHECK_ERROR(LIPC_EBADF, lipc_signal_next(watch, 0, &info));
}

TEST(a_process_has_so_many_watches_and_no_more) {
    lipc_handle watches[LIPC_SIGNAL_WATCHES], more = UNTOUCHED;
    const int signal = SIGINT;
    for (int i = 0; i < LIPC_SIGNAL_WATCHES; i++)
        watches[i] = watch_with(signal, NULL);
    CHECK_ERROR(LIPC_EMFILE, lipc_signal_watch(&signal, 1, NULL, &more));
    CHECK_INT(UNTOUCHED, more);
    for (int i = 0; i < LIPC_SIGNAL_WATCHES; i++)
        CHECK_OK(lipc_signal_close(watches[i]));
}

TEST(what_windows_does_not_have_is_refused) {
    const int refused[] = {SIGTERM, SIGABRT, SIGSEGV, 1, 21, 1000, 1003, 1007};
    lipc_handle watch = UNTOUCHED;
    for (size_t i = 0; i < COUNT(refused); i++)
        CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_watch(&refused[i], 1, NULL, &watch));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_watch(&(const int){0}, 1, NULL, &watch));
    CHECK_INT(UNTOUCHED, watch);
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_realtime(0));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_send(GetCurrentProcessId(), SIGINT));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_queue(GetCurrentProcessId(), SIGINT, 0));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_send_pidfd(0, SIGINT));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_queue_pidfd(0, SIGINT, 0));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_send_thread(1, 1, SIGINT));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_queue_thread(1, 1, SIGINT, 0));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_send_group(GetCurrentProcessId(), SIGINT));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_send_group(0, LIPC_SIGNAL_CLOSE));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_send_group(-1, LIPC_SIGNAL_BREAK));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_send_group(1, LIPC_SIGNAL_BREAK));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_send_group(0, 0));
}
