/* Handles: kinds, adopting, names, buffer sizes; duplicates, in this process and others; inheritance. */
#include "fixture.h"

static char got[65536];

static HANDLE program_file(void) {
    char program[MAX_PATH];
    GetModuleFileNameA(NULL, program, sizeof program);
    HANDLE file = CreateFileA(program, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    return file;
}

TEST(the_kind_of_a_handle_is_reported) {
    static const int kinds[] = {LIPC_STREAM, LIPC_MESSAGE};
    for (size_t i = 0; i < COUNT(kinds); i++)
        EACH_CONNECTION(kinds[i], a, b) {
            CHECK_INT(kinds[i], lipc_kind(a));
            CHECK_INT(kinds[i], lipc_kind(b));
            CHECK_INT(kinds[i], lipc_adopt(a));
        }
    lipc_handle reader, writer;
    CHECK_OK(lipc_pipe(NULL, &reader, &writer));
    CHECK_INT(LIPC_PIPE_READER, lipc_kind(reader));
    CHECK_INT(LIPC_PIPE_WRITER, lipc_kind(writer));
    close_ends(reader, writer);
    CHECK_ERROR(LIPC_EBADF, lipc_kind(reader));
    HANDLE file = program_file();
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_kind((lipc_handle)file));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_adopt((lipc_handle)file));
    CHECK(CloseHandle(file));
}

TEST(a_handle_from_elsewhere_becomes_one_of_ours) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    HANDLE server = foreign_server(&name, PIPE_TYPE_BYTE);
    HANDLE client = foreign_client(&name, FILE_FLAG_OVERLAPPED);
    CHECK(SetHandleInformation(client, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
    CHECK_INT(LIPC_STREAM, lipc_adopt((lipc_handle)client));
    CHECK(!is_inheritable((lipc_handle)client));
    CHECK_INT(LIPC_STREAM, lipc_adopt((lipc_handle)server));
    check_connected((lipc_handle)client, (lipc_handle)server);
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_read((lipc_handle)client, got, 1, 20));
    CHECK(CloseHandle(client) && CloseHandle(server));
}

TEST(what_was_not_opened_for_overlapped_operation_is_not_adopted) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    HANDLE server = foreign_server(&name, PIPE_TYPE_BYTE);
    HANDLE client = foreign_client(&name, 0);
    CHECK(SetHandleInformation(client, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_adopt((lipc_handle)client));
    CHECK(is_inheritable((lipc_handle)client)); /* unchanged */
    CHECK(CloseHandle(client) && CloseHandle(server));
}

TEST(handles_for_overlapped_operation_are_known_from_the_rest) {
    lipc_handle event, a, b;
    HANDLE file = program_file(), reader, writer;
    char program[MAX_PATH];
    CHECK_INT(0, lipc_is_overlapped((lipc_handle)file));
    CHECK(CloseHandle(file));
    CHECK_ERROR(LIPC_EBADF, lipc_is_overlapped((lipc_handle)file));
    GetModuleFileNameA(NULL, program, sizeof program);
    file = CreateFileA(program, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    CHECK_INT(1, lipc_is_overlapped((lipc_handle)file));
    CHECK(CloseHandle(file));
    CHECK(CreatePipe(&reader, &writer, NULL, 0));
    CHECK_INT(0, lipc_is_overlapped((lipc_handle)reader));
    CHECK_INT(0, lipc_is_overlapped((lipc_handle)writer));
    CHECK(CloseHandle(reader) && CloseHandle(writer));
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_INT(1, lipc_is_overlapped(a));
    CHECK_INT(1, lipc_is_overlapped(b));
    close_ends(a, b);
    CHECK_OK(lipc_event(&event));
    CHECK_ERROR(LIPC_EBADF, lipc_is_overlapped(event)); /* it is no file */
    CHECK_OK(lipc_close(event));
    CHECK_ERROR(LIPC_EBADF, lipc_is_overlapped((lipc_handle)GetCurrentProcess()));
}

TEST(the_server_of_a_connection_has_the_name_and_its_client_none) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s"), told;
        lipc_listener *listener = listen_on(&name);
        lipc_handle client = connect_to(&name), server = accept_from(listener);
        CHECK_OK(lipc_local_name(server, &told));
        CHECK_INT(LIPC_NAME_PATH, told.type);
        CHECK_STRING(path_of(&name), told.text);
        CHECK_INT((int)strlen(told.text), told.length);
        CHECK_OK(lipc_peer_name(client, &told));
        CHECK_STRING(path_of(&name), told.text);
        memset(&told, UNTOUCHED, sizeof told);
        CHECK_OK(lipc_local_name(client, &told));
        CHECK(told.type == 0 && told.length == 0 && told.text[0] == '\0');
        memset(&told, UNTOUCHED, sizeof told);
        CHECK_OK(lipc_peer_name(server, &told));
        CHECK(told.type == 0 && told.length == 0);
        close_ends(client, server);
        lipc_listener_close(listener);
    }
}

TEST(the_name_that_is_reported_can_be_used) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s"), told;
    lipc_listener *listener = listen_on(&name);
    lipc_handle client = connect_to(&name), server = accept_from(listener);
    CHECK_OK(lipc_peer_name(client, &told));
    lipc_handle again = connect_to(&told), second = accept_from(listener);
    check_connected(again, second);
    close_ends(client, server);
    close_ends(again, second);
    lipc_listener_close(listener);
}

TEST(pairs_and_pipes_have_no_names) {
    lipc_handle ends[4];
    CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
    CHECK_OK(lipc_pipe(NULL, &ends[2], &ends[3]));
    for (int i = 0; i < 4; i++) {
        lipc_name local, peer;
        CHECK_OK(lipc_local_name(ends[i], &local));
        CHECK_OK(lipc_peer_name(ends[i], &peer));
        CHECK(local.type == 0 && local.length == 0 && peer.type == 0 && peer.length == 0);
    }
    close_all(ends, 4);
    lipc_name name;
    memset(&name, UNTOUCHED, sizeof name);
    CHECK_ERROR(LIPC_EBADF, lipc_local_name(ends[0], &name));
    CHECK_ERROR(LIPC_EBADF, lipc_peer_name(ends[0], &name));
    CHECK(is_untouched(&name, sizeof name));
}

TEST(buffers_have_the_size_that_was_asked_for) {
    lipc_listen_windows listening = {.size = sizeof listening, .inbound_buffer = 8192, .outbound_buffer = 16384};
    connection c = connection_of(LIPC_STREAM, &listening, NULL);
    CHECK_INT(8192, lipc_buffer_size(c.server, LIPC_READ));
    CHECK_INT(16384, lipc_buffer_size(c.server, LIPC_WRITE));
    CHECK_INT(16384, lipc_buffer_size(c.client, LIPC_READ)); /* what the server sends */
    CHECK_INT(8192, lipc_buffer_size(c.client, LIPC_WRITE));
    close_ends(c.client, c.server);
    c = connection_of(LIPC_STREAM, NULL, NULL);
    CHECK_INT(65536, lipc_buffer_size(c.server, LIPC_READ));
    CHECK_INT(65536, lipc_buffer_size(c.client, LIPC_WRITE));
    CHECK_ERROR(LIPC_EINVAL, lipc_buffer_size(c.server, 0));
    CHECK_ERROR(LIPC_EINVAL, lipc_buffer_size(c.server, LIPC_READ | LIPC_WRITE));
    close_ends(c.client, c.server);
    CHECK_ERROR(LIPC_EBADF, lipc_buffer_size(c.server, LIPC_READ));
}

/* ------------------------------------------ Duplicates ------------------------------------------ */

TEST(a_duplicate_is_the_same_connection) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_handle duplicate;
        CHECK_OK(lipc_duplicate(a, &duplicate));
        check_born(duplicate);
        CHECK(duplicate != a);
        CHECK_INT(LIPC_STREAM, lipc_kind(duplicate));
        check_connected(duplicate, b);
        check_connected(b, duplicate);
        close_end(&a);
        check_connected(duplicate, b); /* it lives until the last one is closed */
        CHECK_OK(lipc_close(duplicate));
        CHECK_INT(0, lipc_read(b, got, 1, WAIT));
    }
}

TEST(a_duplicate_of_an_inheritable_handle_is_not_inheritable) {
    lipc_handle a, b, duplicate;
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_OK(lipc_set_inherit(a, 1));
    CHECK_OK(lipc_duplicate(a, &duplicate));
    check_born(duplicate);
    close_ends(a, b);
    CHECK_OK(lipc_close(duplicate));
    CHECK_ERROR(LIPC_EBADF, lipc_duplicate(a, &duplicate));
}

/* Gets a handle, and sends back over it what it reads. */
CHILD(use_a_handle) {
    char number[32];
    say("ready");
    strcpy(number, listen_to_test());
    lipc_handle h = (lipc_handle)strtoll(number, NULL, 10);
    CHECK_INT(LIPC_STREAM, lipc_kind(h));
    check_born(h);
    int64_t n = lipc_read(h, got, sizeof got, WAIT);
    CHECK(n > 0);
    CHECK_INT(n, lipc_write(h, got, (size_t)n, WAIT));
    CHECK_OK(lipc_close(h));
    say("done");
}

TEST(a_handle_is_given_to_another_process) {
    lipc_handle a, b, there;
    char number[32];
    child c = start("use_a_handle");
    expect(&c, "ready");
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_OK(lipc_duplicate_into(a, c.id, &there));
    CHECK_OK(lipc_close(a)); /* the other process has its own */
    snprintf(number, sizeof number, "%lld", (long long)there);
    tell(&c, number);
    CHECK_INT(5, lipc_write(b, "hello", 5, WAIT));
    CHECK_INT(5, lipc_read(b, got, sizeof got, WAIT));
    CHECK(memcmp(got, "hello", 5) == 0);
    expect(&c, "done");
    CHECK_INT(0, lipc_read(b, got, 1, WAIT)); /* it has closed the last one */
    CHECK_OK(lipc_close(b));
    join(&c);
}

CHILD(offer_a_handle) {
    lipc_handle a, b;
    char number[32];
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    snprintf(number, sizeof number, "%lld", (long long)a);
    say(number);
    CHECK_INT(5, lipc_write(b, "hello", 5, WAIT));
    CHECK_INT(2, lipc_read(b, got, sizeof got, WAIT));
    say("answered");
    listen_to_test();
}

TEST(a_handle_is_fetched_from_another_process) {
    lipc_handle h;
    child c = start("offer_a_handle");
    lipc_handle there = (lipc_handle)strtoll(hear(&c), NULL, 10);
    CHECK_OK(lipc_duplicate_from(there, c.id, &h));
    check_born(h);
    CHECK_INT(5, lipc_read(h, got, sizeof got, WAIT));
    CHECK_INT(2, lipc_write(h, "ok", 2, WAIT));
    expect(&c, "answered");
    CHECK_OK(lipc_close(h));
    kill_hard(&c);
}

TEST(a_process_that_is_not_there_and_a_handle_that_is_not_are_refused) {
    lipc_handle a, b, there;
    const lipc_handle none = 0x7ff0; /* not one that was just closed, whose value may be in use again */
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    memset(&there, UNTOUCHED, sizeof there);
    CHECK_ERROR(LIPC_ENOENT, lipc_duplicate_into(a, 0x7ffffff0, &there));
    CHECK_ERROR(LIPC_ENOENT, lipc_duplicate_from(a, 0x7ffffff0, &there));
    CHECK_ERROR(LIPC_EBADF, lipc_duplicate_into(none, GetCurrentProcessId(), &there));
    CHECK_ERROR(LIPC_EBADF, lipc_duplicate_from(none, GetCurrentProcessId(), &there));
    CHECK(is_untouched(&there, sizeof there));
    close_ends(a, b);
}

static int64_t now(void) {
    FILETIME t;
    GetSystemTimeAsFileTime(&t);
    return (int64_t)((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime);
}

/* Connects, says the number of a handle, and waits until it is to end. */
CHILD(connect_and_offer) {
    lipc_name name = name_argument(0);
    lipc_handle a, b, connection = connect_to(&name);
    char number[32];
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    snprintf(number, sizeof number, "%lld", (long long)a);
    say(number);
    listen_to_test();
    CHECK_OK(lipc_close(connection));
}

TEST(handles_go_to_and_come_from_the_peer_that_connected_and_not_one_that_got_its_id_later) {
    const int64_t second = 10000000; /* in units of 100 ns */
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    int64_t before = now();
    child c = start("connect_and_offer %s", written(&name));
    lipc_handle there = (lipc_handle)strtoll(hear(&c), NULL, 10), server = accept_from(listener), mine, theirs;
    int64_t accepted = now();
    memset(&mine, UNTOUCHED, sizeof mine);
    /* Makes this process look like one that got the same id later. */
    CHECK_ERROR(LIPC_ENOENT, lipc_take(server, before - second, there, &mine));
    CHECK_ERROR(LIPC_ENOENT, lipc_give(server, before - second, server, &mine));
    CHECK(is_untouched(&mine, sizeof mine));
    for (int checked = 0; checked < 2; checked++) {
        CHECK_OK(lipc_take(server, checked ? accepted : 0, there, &mine));
        check_born(mine);
        CHECK_INT(LIPC_STREAM, lipc_kind(mine));
        CHECK_OK(lipc_give(server, checked ? accepted : 0, mine, &theirs));
        CHECK_OK(lipc_close(mine));
        CHECK_OK(lipc_take(server, checked ? accepted : 0, theirs, &mine)); /* it has it */
        CHECK_OK(lipc_close(mine));
    }
    CHECK_ERROR(LIPC_EBADF, lipc_take(server, accepted, (lipc_handle)GetCurrentProcess(), &mine));
    CHECK_ERROR(LIPC_EBADF, lipc_give(server, accepted, 0, &mine));
    HANDLE file = program_file();
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_take((lipc_handle)file, accepted, there, &mine)); /* it is no connection */
    CHECK(CloseHandle(file));
    kill_hard(&c);
    CHECK(lipc_take(server, accepted, there, &mine) < 0);
    CHECK_OK(lipc_close(server));
    lipc_listener_close(listener);
}

/* ------------------------------------------ Inheritance ----------------------------------------- */

/* Says for each handle whether this process has it. */
CHILD(tell_what_was_inherited) {
    for (int i = 0; child_arguments[i] != NULL; i++) {
        DWORD flags;
        lipc_handle h = handle_argument(i);
        say(GetHandleInformation((HANDLE)h, &flags) && lipc_kind(h) > 0 ? "yes" : "no");
    }
    listen_to_test();
}

TEST(a_child_gets_what_is_inheritable_and_nothing_else) {
    lipc_listen_windows listening = {.size = sizeof listening, .inherit = 1};
    lipc_connect_windows connecting = {.size = sizeof connecting, .inherit = 1};
    lipc_handle ends[2], others[2];
    connection plain = connection_of(LIPC_STREAM, NULL, NULL);
    connection both = connection_of(LIPC_STREAM, &listening, &connecting);
    CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
    CHECK_OK(lipc_pair(LIPC_STREAM, &others[0], &others[1]));
    CHECK_OK(lipc_set_inherit(ends[0], 1));
    CHECK_OK(lipc_set_inherit(others[0], 1));
    CHECK_OK(lipc_set_inherit(others[0], 0));
    const struct {
        lipc_handle handle;
        bool inherited;
    } rows[] = {{plain.client, false}, {plain.server, false}, {both.client, true}, {both.server, true},
                {ends[0], true},       {ends[1], false},      {others[0], false}};
    char arguments[512] = "";
    for (size_t i = 0; i < COUNT(rows); i++)
        sprintf(arguments + strlen(arguments), " %lld", (long long)rows[i].handle);
    child c = start("tell_what_was_inherited%s", arguments);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_INT(rows[i].inherited, is_inheritable(rows[i].handle));
        expect(&c, rows[i].inherited ? "yes" : "no");
    }
    join(&c);
    close_ends(plain.client, plain.server);
    close_ends(both.client, both.server);
    close_all(ends, 2);
    close_all(others, 2);
    CHECK_ERROR(LIPC_EBADF, lipc_set_inherit(ends[0], 1));
}

/* A child with the ends of pipes for its standard input and output, as programs have them that know nothing of this
 * library: it copies one to the other. */
CHILD(shout) {
    char byte;
    DWORD n;
    while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &n, NULL) && n == 1) {
        byte = (char)(byte >= 'a' && byte <= 'z' ? byte - 32 : byte);
        CHECK(WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), &byte, 1, &n, NULL) && n == 1);
    }
}

TEST(a_program_that_knows_nothing_of_this_uses_pipes_as_its_input_and_output) {
    lipc_handle input[2], output[2];
    lipc_pipe_options for_input = {.size = sizeof for_input, .inherit = LIPC_READ};
    lipc_pipe_options for_output = {.size = sizeof for_output, .inherit = LIPC_WRITE};
    PROCESS_INFORMATION process;
    CHECK_OK(lipc_pipe(&for_input, &input[0], &input[1]));
    CHECK_OK(lipc_pipe(&for_output, &output[0], &output[1]));
    CHECK(is_inheritable(input[0]) && !is_inheritable(input[1]));
    CHECK(!is_inheritable(output[0]) && is_inheritable(output[1]));
    HANDLE job = test_start("--child shout", (HANDLE)input[0], (HANDLE)output[1], GetStdHandle(STD_ERROR_HANDLE),
                            &process);
    CHECK_OK(lipc_close(input[0]));
    CHECK_OK(lipc_close(output[1]));
    CHECK_INT(5, lipc_write(input[1], "hello", 5, WAIT));
    size_t n = 0;
    while (n < 5) {
        int64_t r = lipc_read(output[0], got + n, sizeof got - n, WAIT);
        CHECK(r > 0);
        n += (size_t)r;
    }
    CHECK(memcmp(got, "HELLO", 5) == 0);
    CHECK_OK(lipc_close(input[1])); /* the end of its input */
    CHECK_INT(0, lipc_read(output[0], got, 1, WAIT));
    CHECK_OK(lipc_close(output[0]));
    wait_for((lipc_handle)process.hProcess);
    CHECK(CloseHandle(process.hProcess) && CloseHandle(job));
}
