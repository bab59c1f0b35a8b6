/* The Windows half of the fixtures: other processes, threads, and pipes that are made without the library. Included by
 * fixture.h. */
#ifndef LIPC_FIXTURE_WINDOWS_H
#define LIPC_FIXTURE_WINDOWS_H

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Whether this is Wine, which lacks some of what Windows has. */
static inline bool on_wine(void) {
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
}

static inline bool is_inheritable(lipc_handle handle) {
    DWORD flags = 0;
    CHECK(GetHandleInformation((HANDLE)handle, &flags));
    return flags & HANDLE_FLAG_INHERIT;
}

/* Checks the flags of a new handle of the library. */
static inline void check_born(lipc_handle handle) {
    CHECK(!is_inheritable(handle));
}

static inline bool is_signalled(lipc_handle handle) {
    return WaitForSingleObject((HANDLE)handle, 0) == WAIT_OBJECT_0;
}

static inline void wait_for(lipc_handle handle) {
    CHECK(WaitForSingleObject((HANDLE)handle, WAIT) == WAIT_OBJECT_0);
}

/* ----------------------------------------- Connections ------------------------------------------ */

typedef struct connection {
    lipc_handle client, server;
} connection;

static inline lipc_listener *listen_for(const lipc_name *name, int kind, const lipc_listen_windows *windows) {
    lipc_listen_options options = {.size = sizeof options, .kind = kind, .windows = windows};
    lipc_listener *listener = NULL;
    CHECK_OK(lipc_listen(name, &options, &listener));
    return listener;
}

static inline lipc_handle connect_as(const lipc_name *name, int kind, const lipc_connect_windows *windows) {
    lipc_connect_options options = {.size = sizeof options, .kind = kind, .windows = windows};
    lipc_handle handle = LIPC_INVALID_HANDLE;
    CHECK_OK(lipc_connect(name, &options, WAIT, &handle));
    return handle;
}

/* A connection of that kind over a name, whose listener is gone. Options may be NULL. */
static inline connection connection_of(int kind, const lipc_listen_windows *listening,
                                       const lipc_connect_windows *connecting) {
    static int number;
    char leaf[32];
    connection c;
    snprintf(leaf, sizeof leaf, "connection-%d", ++number);
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, leaf);
    lipc_listener *listener = listen_for(&name, kind, listening);
    c.client = connect_as(&name, kind, connecting);
    c.server = accept_from(listener);
    lipc_listener_close(listener);
    return c;
}

#define ADMINISTRATORS "S-1-5-32-544"

/* A connection to a listener with that mode, and that security descriptor unless it is NULL. */
static inline connection connection_with(uint32_t mode, const char *sddl) {
    static int number;
    char leaf[32];
    connection c;
    snprintf(leaf, sizeof leaf, "secure-%d", ++number);
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, leaf);
    lipc_listen_windows windows = {.size = sizeof windows, .sddl = sddl};
    lipc_listen_options options = {.size = sizeof options, .mode = mode, .windows = &windows};
    lipc_listener *listener;
    CHECK_OK(lipc_listen(&name, &options, &listener));
    c.client = connect_to(&name);
    c.server = accept_from(listener);
    lipc_listener_close(listener);
    return c;
}

/* The user of a process, as text. */
static inline const char *user_of(HANDLE process) {
    static char text[LIPC_SID_CAPACITY];
    union {
        TOKEN_USER user;
        char room[256];
    } information;
    HANDLE token;
    DWORD size;
    char *sid;
    CHECK(OpenProcessToken(process, TOKEN_QUERY, &token));
    CHECK(GetTokenInformation(token, TokenUser, &information, sizeof information, &size));
    CHECK(ConvertSidToStringSidA(information.user.User.Sid, &sid));
    CHECK(strlen(sid) < sizeof text);
    strcpy(text, sid);
    LocalFree(sid);
    CHECK(CloseHandle(token));
    return text;
}

/* The ends of a connection in turn: of a pair, of one over a name, and of that the other way round. */
enum { ROWS = 3 };

static inline void connect_row(int row, int kind, lipc_handle *ret_a, lipc_handle *ret_b) {
    static const char *const rows[] = {"a pair", "client to server", "server to client"};
    test_row = rows[row];
    if (row == 0) {
        CHECK_OK(lipc_pair(kind, ret_a, ret_b));
        return;
    }
    connection c = connection_of(kind, NULL, NULL);
    *ret_a = row == 1 ? c.client : c.server;
    *ret_b = row == 1 ? c.server : c.client;
}

/* A test that closes an end itself sets it to LIPC_INVALID_HANDLE. */
static inline void close_ends(lipc_handle a, lipc_handle b) {
    if (a != LIPC_INVALID_HANDLE)
        CHECK_OK(lipc_close(a));
    if (b != LIPC_INVALID_HANDLE)
        CHECK_OK(lipc_close(b));
}

static inline void close_end(lipc_handle *end) {
    CHECK_OK(lipc_close(*end));
    *end = LIPC_INVALID_HANDLE;
}

#define EACH_CONNECTION(kind, a, b) \
    for (int row_ = 0; row_ < ROWS; row_++) \
        for (lipc_handle a, b, *once_ = (connect_row(row_, kind, &a, &b), &a); once_ != NULL; \
             once_ = (close_ends(a, b), NULL))

/* The path of a name, as the system's own functions take it. */
static inline const char *path_of(const lipc_name *name) {
    static char path[LIPC_NAME_CAPACITY + 16];
    snprintf(path, sizeof path, "%s%s", name->type == LIPC_NAME_NAMESPACED ? "\\\\.\\pipe\\" : "", name->text);
    return path;
}

/* The server end of a pipe, made without the library. mode: PIPE_TYPE_MESSAGE and the like. */
static inline HANDLE foreign_server(const lipc_name *name, DWORD mode) {
    HANDLE handle = CreateNamedPipeA(path_of(name), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, mode, 2, 4096, 4096, 0,
                                     NULL);
    CHECK(handle != INVALID_HANDLE_VALUE);
    return handle;
}

/* A client that reads bytes, made without the library. */
static inline HANDLE foreign_client(const lipc_name *name, DWORD flags) {
    HANDLE handle = CreateFileA(path_of(name), GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, flags, NULL);
    CHECK(handle != INVALID_HANDLE_VALUE);
    return handle;
}

/* The numbers from 0 to 250, again and again: a byte that is lost or doubled shows. */
static inline void fill_pattern(char *data, size_t size, size_t at) {
    for (size_t i = 0; i < size; i++)
        data[i] = (char)((at + i) % 251);
}

static inline void check_pattern(const char *data, size_t size, size_t at) {
    for (size_t i = 0; i < size; i++)
        if (data[i] != (char)((at + i) % 251))
            FAIL("byte %llu is not what was sent", (unsigned long long)(at + i));
}

/* ------------------------------------------- Threads -------------------------------------------- */

typedef HANDLE thread;

static inline thread start_thread(LPTHREAD_START_ROUTINE body, void *argument) {
    thread t = CreateThread(NULL, 0, body, argument, 0, NULL);
    CHECK(t != NULL);
    return t;
}

static inline void join_thread(thread t) {
    CHECK(WaitForSingleObject(t, WAIT) == WAIT_OBJECT_0);
    CHECK(CloseHandle(t));
}

/* ----------------------------------------- Processes -------------------------------------------- */

/* Another process of this program, which runs a CHILD. The two talk in lines, over its standard input and output. */
typedef struct child {
    HANDLE process, job;
    HANDLE to, from;
    DWORD id;
} child;

/* Starts one. The text is the name of the CHILD and its arguments, with spaces between. */
__attribute__((format(TEST_PRINTF, 1, 2))) static inline child start(const char *format, ...) {
    char arguments[4096];
    va_list list;
    child c;
    HANDLE input, output;
    PROCESS_INFORMATION process;
    strcpy(arguments, "--child ");
    va_start(list, format);
    vsnprintf(arguments + strlen(arguments), sizeof arguments - strlen(arguments), format, list);
    va_end(list);
    CHECK(CreatePipe(&input, &c.to, NULL, 0) && CreatePipe(&c.from, &output, NULL, 0));
    c.job = test_start(arguments, input, output, GetStdHandle(STD_ERROR_HANDLE), &process);
    c.process = process.hProcess;
    c.id = process.dwProcessId;
    CHECK(CloseHandle(input) && CloseHandle(output));
    return c;
}

static inline bool read_line(HANDLE from, char *ret_line, size_t size) {
    size_t length = 0;
    DWORD n;
    char byte;
    while (ReadFile(from, &byte, 1, &n, NULL) && n == 1 && byte != '\n')
        if (length < size - 1)
            ret_line[length++] = byte;
    ret_line[length] = '\0';
    return length > 0;
}

static inline void write_line(HANDLE to, const char *text) {
    char line[4096];
    DWORD n;
    int length = snprintf(line, sizeof line, "%s\n", text);
    CHECK(WriteFile(to, line, (DWORD)length, &n, NULL) && n == (DWORD)length);
}

/* Returns the next line of a child. It is a failure if the child ends without one. */
static inline const char *hear(const child *c) {
    static char line[4096];
    if (!read_line(c->from, line, sizeof line))
        FAIL("the other process ended, or its pipe broke");
    return line;
}

static inline void expect(const child *c, const char *text) {
    CHECK_STRING(text, hear(c));
}

static inline void tell(const child *c, const char *text) {
    write_line(c->to, text);
}

/* For a child: to the test, and from it. The child ends when its input does. */
static inline void say(const char *text) {
    write_line(GetStdHandle(STD_OUTPUT_HANDLE), text);
}

static inline const char *listen_to_test(void) {
    static char line[4096];
    if (!read_line(GetStdHandle(STD_INPUT_HANDLE), line, sizeof line))
        exit(TEST_PASSED);
    return line;
}

static inline void forget(child *c) {
    CHECK(CloseHandle(c->process) && CloseHandle(c->job) && CloseHandle(c->from));
    CHECK(c->to == NULL || CloseHandle(c->to));
}

/* Lets a child end by itself, and checks that it succeeds. */
static inline void join(child *c) {
    DWORD code;
    CHECK(CloseHandle(c->to)); /* the end of its input */
    c->to = NULL;
    CHECK(WaitForSingleObject(c->process, WAIT) == WAIT_OBJECT_0);
    CHECK(GetExitCodeProcess(c->process, &code));
    CHECK_INT(TEST_PASSED, code);
    forget(c);
}

static inline void kill_hard(child *c) {
    CHECK(TerminateProcess(c->process, 99));
    CHECK(WaitForSingleObject(c->process, WAIT) == WAIT_OBJECT_0);
    forget(c);
}

/* An argument that is a name, or a number. */
static inline lipc_name name_argument(int i) {
    lipc_name name;
    CHECK_OK(lipc_name_parse(child_arguments[i], LIPC_STRLEN, &name));
    return name;
}

static inline const char *written(const lipc_name *name) {
    static char text[LIPC_NAME_CAPACITY + 2];
    CHECK_OK(lipc_name_format(name, text, sizeof text));
    return text;
}

static inline lipc_handle handle_argument(int i) {
    return (lipc_handle)strtoll(child_arguments[i], NULL, 10);
}

#endif
