/* Names as pipe paths: what may be one, how long, and that the system sees exactly what was given. */
#include "fixture.h"

#define PREFIX "\\\\.\\pipe\\"

static char *letters(const char *prefix, size_t length) {
    static char text[8192];
    size_t n = strlen(prefix);
    memcpy(text, prefix, n);
    memset(text + n, 'a', sizeof text - n);
    text[length] = '\0';
    return text;
}

typedef int make_name(const char *, size_t, lipc_name *);

/* The path of the pipe of a user's name. */
static const char *user_path(const char *text) {
    static char path[512];
    snprintf(path, sizeof path, PREFIX "lipc-%s\\%s", user_of(GetCurrentProcess()), text);
    return path;
}

/* Makes a name, and checks the result and ret_name. */
static void check_name(make_name *make, int type, const char *text, size_t length, int wanted) {
    lipc_name name;
    memset(&name, UNTOUCHED, sizeof name);
    CHECK_ERROR(wanted, make(text, length, &name));
    if (wanted != 0) {
        CHECK(is_untouched(&name, sizeof name));
        return;
    }
    size_t n = length == LIPC_STRLEN ? strlen(text) : length;
    CHECK_INT(type, name.type);
    CHECK_INT((int)n, name.length);
    CHECK(memcmp(name.text, text, n) == 0 && name.text[n] == '\0');
}

TEST(windows_has_all_types_of_name) {
    CHECK_INT(LIPC_NAME_PATH | LIPC_NAME_NAMESPACED | LIPC_NAME_USER | LIPC_NAME_SYSTEM, lipc_name_types());
}

TEST(the_limits_are_those_of_createnamedpipe) {
    CHECK_INT(256, lipc_name_limit(LIPC_NAME_PATH));
    CHECK_INT(247, lipc_name_limit(LIPC_NAME_NAMESPACED));
    CHECK_INT(256 - (int)strlen(user_path("")), lipc_name_limit(LIPC_NAME_USER));
    CHECK_INT(216, lipc_name_limit(LIPC_NAME_SYSTEM));
    static const int no_types[] = {0, 3, -1, 99};
    for (size_t i = 0; i < COUNT(no_types); i++)
        CHECK_ERROR(LIPC_EINVAL, lipc_name_limit(no_types[i]));
}

TEST(an_empty_name_is_refused) {
    make_name *all[] = {lipc_name_path, lipc_name_namespaced, lipc_name_user, lipc_name_system, lipc_name_parse};
    for (size_t i = 0; i < COUNT(all); i++) {
        check_name(all[i], 0, "", 0, LIPC_ENAME);
        check_name(all[i], 0, "", LIPC_STRLEN, LIPC_ENAME);
        check_name(all[i], 0, "text", 0, LIPC_ENAME);
    }
    check_name(lipc_name_parse, 0, "@", LIPC_STRLEN, LIPC_ENAME);
    check_name(lipc_name_parse, 0, "user:", LIPC_STRLEN, LIPC_ENAME);
    check_name(lipc_name_parse, 0, "system:", LIPC_STRLEN, LIPC_ENAME);
}

/* How names of each type are made, and how the text of one begins. */
static const struct {
    int type;
    make_name *make;
    const char *start;
} types[] = {
    {LIPC_NAME_PATH, lipc_name_path, PREFIX},
    {LIPC_NAME_NAMESPACED, lipc_name_namespaced, ""},
    {LIPC_NAME_USER, lipc_name_user, ""},
    {LIPC_NAME_SYSTEM, lipc_name_system, ""},
};

TEST(a_name_at_the_limit_is_one_and_over_it_is_refused) {
    for (size_t i = 0; i < COUNT(types); i++) {
        size_t limit = (size_t)lipc_name_limit(types[i].type);
        check_name(types[i].make, types[i].type, letters(types[i].start, limit), LIPC_STRLEN, 0);
        check_name(types[i].make, types[i].type, letters(types[i].start, limit + 1), LIPC_STRLEN, LIPC_ENAMETOOLONG);
        check_name(types[i].make, types[i].type, letters(types[i].start, 5000), LIPC_STRLEN, LIPC_ENAMETOOLONG);
    }
}

TEST(the_limit_counts_utf16_code_units) {
    static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x99\x82"}; /* 1, 1 and 2 units */
    static const size_t units[] = {1, 1, 2};
    for (size_t i = 0; i < COUNT(characters); i++) {
        char text[1024] = "";
        size_t most = 247 / units[i];
        test_row = characters[i];
        for (size_t n = 0; n < most; n++)
            strcat(text, characters[i]);
        check_name(lipc_name_namespaced, LIPC_NAME_NAMESPACED, text, LIPC_STRLEN, 0);
        strcat(text, characters[i]);
        check_name(lipc_name_namespaced, LIPC_NAME_NAMESPACED, text, LIPC_STRLEN, LIPC_ENAMETOOLONG);
    }
}

TEST(what_a_name_may_not_hold_is_refused) {
    static const struct {
        make_name *make;
        const char *text;
        size_t length;
    } rows[] = {
        {lipc_name_path, "x", LIPC_STRLEN},
        {lipc_name_path, "\\\\.\\pipe\\", LIPC_STRLEN},
        {lipc_name_path, "\\\\.\\pipe", LIPC_STRLEN},
        {lipc_name_path, "\\\\\\pipe\\x", LIPC_STRLEN},
        {lipc_name_path, "\\.\\pipe\\x", LIPC_STRLEN},
        {lipc_name_path, "\\\\.\\mailslot\\x", LIPC_STRLEN},
        {lipc_name_path, "//./pipe/x", LIPC_STRLEN},
        {lipc_name_path, "C:\\temp\\x", LIPC_STRLEN},
        {lipc_name_path, "\\\\.\\pipe\\a\0b", sizeof "\\\\.\\pipe\\a\0b" - 1},
        {lipc_name_namespaced, "\\", LIPC_STRLEN},
        {lipc_name_namespaced, "a\0b", 3},
        {lipc_name_parse, "x", LIPC_STRLEN},
        /* Text that Windows takes for another name, or for something other than a pipe. */
        {lipc_name_parse, "@a/b", LIPC_STRLEN},
        {lipc_name_parse, "@../C:/x", LIPC_STRLEN},
        {lipc_name_parse, "@..", LIPC_STRLEN},
        {lipc_name_parse, "@x.", LIPC_STRLEN},
        {lipc_name_parse, "@x ", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\a/b", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\..", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\x ", LIPC_STRLEN},
        {lipc_name_parse, "\\\\..\\pipe\\x", LIPC_STRLEN},
        {lipc_name_parse, "\\\\a/b\\pipe\\x", LIPC_STRLEN},
        {lipc_name_parse, "\\\\??\\pipe\\x", LIPC_STRLEN},
        {lipc_name_parse, "\\\\?\\UNC\\host\\pipe\\x", LIPC_STRLEN},
        {lipc_name_parse, "\\\\?\\pipe\\..\\x", LIPC_STRLEN},
        {lipc_name_parse, "\\\\?\\pipe\\x.", LIPC_STRLEN},
        {lipc_name_parse, "\\\\?\\pipe\\a/b", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\\\x", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\a\\\\b", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\a\\", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\a\\.\\b", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\a\\..\\b", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\a.\\b", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\a \\b", LIPC_STRLEN},
        {lipc_name_parse, "\\\\.\\pipe\\LOCAL\\x.", LIPC_STRLEN},
        {lipc_name_parse, "@\\a", LIPC_STRLEN},
        {lipc_name_parse, "@a\\", LIPC_STRLEN},
        {lipc_name_parse, "@a\\..\\b", LIPC_STRLEN},
        /* What the names of users and of the system may not be on any system. */
        {lipc_name_user, "a\0b", 3},
        {lipc_name_parse, "user:a/b", LIPC_STRLEN},
        {lipc_name_parse, "user:a\\b", LIPC_STRLEN},
        {lipc_name_parse, "user:..\\b", LIPC_STRLEN},
        {lipc_name_parse, "user:.a", LIPC_STRLEN},
        {lipc_name_parse, "user:a.", LIPC_STRLEN},
        {lipc_name_parse, "user:a ", LIPC_STRLEN},
        {lipc_name_parse, "user:a.lock", LIPC_STRLEN},
        {lipc_name_parse, "system:a\\b", LIPC_STRLEN},
        {lipc_name_parse, "system:.", LIPC_STRLEN},
        {lipc_name_parse, "user:a\xff", LIPC_STRLEN},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        test_row = rows[i].text;
        check_name(rows[i].make, 0, rows[i].text, rows[i].length, LIPC_ENAME);
    }
}

TEST(names_are_parsed_and_written_back) {
    static const struct {
        const char *text;
        int type;
        const char *name;
    } rows[] = {
        {"\\\\.\\pipe\\x", LIPC_NAME_PATH, "\\\\.\\pipe\\x"},
        {"\\\\.\\PIPE\\x y", LIPC_NAME_PATH, "\\\\.\\PIPE\\x y"},
        {"\\\\server\\pipe\\x", LIPC_NAME_PATH, "\\\\server\\pipe\\x"},
        {"\\\\.\\pipe\\@x", LIPC_NAME_PATH, "\\\\.\\pipe\\@x"},
        {"\\\\?\\pipe\\x", LIPC_NAME_PATH, "\\\\?\\pipe\\x"},
        {"\\\\.\\pipe\\LOCAL\\x", LIPC_NAME_PATH, "\\\\.\\pipe\\LOCAL\\x"},
        {"\\\\server\\pipe\\a\\b", LIPC_NAME_PATH, "\\\\server\\pipe\\a\\b"},
        {"@ProtectedPrefix\\Administrators\\x", LIPC_NAME_NAMESPACED, "ProtectedPrefix\\Administrators\\x"},
        {"@x", LIPC_NAME_NAMESPACED, "x"},
        {"@@x", LIPC_NAME_NAMESPACED, "@x"},
        {"@a.b c", LIPC_NAME_NAMESPACED, "a.b c"},
        {"@user:x", LIPC_NAME_NAMESPACED, "user:x"},
        {"user:x", LIPC_NAME_USER, "x"},
        {"user:a.b c", LIPC_NAME_USER, "a.b c"},
        {"user:user:x", LIPC_NAME_USER, "user:x"},
        {"system:x", LIPC_NAME_SYSTEM, "x"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[LIPC_NAME_CAPACITY + 2];
        lipc_name name, again;
        test_row = rows[i].text;
        CHECK_OK(lipc_name_parse(rows[i].text, LIPC_STRLEN, &name));
        CHECK_INT(rows[i].type, name.type);
        CHECK_STRING(rows[i].name, name.text);
        CHECK_INT((int)strlen(rows[i].text), lipc_name_format(&name, text, sizeof text));
        CHECK_STRING(rows[i].text, text);
        CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &again));
        CHECK(same_name(&name, &again));
    }
}

TEST(the_location_of_a_name_is_the_path_of_its_pipe) {
    const struct {
        const char *text, *path;
    } rows[] = {
        {"\\\\.\\pipe\\x", "\\\\.\\pipe\\x"},
        {"\\\\?\\PIPE\\a\\x", "\\\\?\\PIPE\\a\\x"},
        {"\\\\server\\pipe\\x", "\\\\server\\pipe\\x"},
        {"@a\\gr\xc3\xbc\xc3\x9f", "\\\\.\\pipe\\a\\gr\xc3\xbc\xc3\x9f"},
        {"user:gr\xc3\xbc\xc3\x9f", user_path("gr\xc3\xbc\xc3\x9f")},
        {"system:x", "\\\\.\\pipe\\ProtectedPrefix\\Administrators\\x"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char path[LIPC_NAME_CAPACITY];
        int length = (int)strlen(rows[i].path);
        lipc_name name;
        test_row = rows[i].text;
        CHECK_OK(lipc_name_parse(rows[i].text, LIPC_STRLEN, &name));
        memset(path, UNTOUCHED, sizeof path);
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_name_location(&name, path, (size_t)length));
        CHECK(is_untouched(path, sizeof path));
        CHECK_INT(length, lipc_name_location(&name, path, (size_t)length + 1));
        CHECK_STRING(rows[i].path, path);
    }
}

/* The system finds a pipe of the library under this path. */
static void check_found(const lipc_name *name, const wchar_t *path) {
    lipc_listener *listener = listen_on(name);
    HANDLE client = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(client != INVALID_HANDLE_VALUE);
    lipc_handle server = accept_from(listener);
    CHECK(CloseHandle(client));
    CHECK_OK(lipc_close(server));
    lipc_listener_close(listener);
}

TEST(a_namespaced_name_is_a_pipe_of_this_machine) {
    wchar_t path[300];
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "x");
    swprintf(path, COUNT(path), L"\\\\.\\pipe\\%hs", name.text);
    check_found(&name, path);
}

TEST(other_programs_reach_a_name_at_its_location) {
    static const char *const texts[] = {"user:lipc-test.%lu.gr\xc3\xbc\xc3\x9f", "@lipc-test.%lu"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        char text[64], path[LIPC_NAME_CAPACITY];
        wchar_t wide[300];
        lipc_name name;
        test_row = texts[i];
        snprintf(text, sizeof text, texts[i], GetCurrentProcessId());
        CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &name));
        CHECK_OK(lipc_name_location(&name, path, sizeof path));
        CHECK(MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, COUNT(wide)) > 0);
        check_found(&name, wide);
    }
}

/* Checks that a listener on a name is reached by other names of the same pipe, and reports its name as it was given. */
TEST(parts_of_a_name_and_both_local_forms_mean_the_pipe_of_that_path) {
    static const char *const forms[] = {"\\\\.\\pipe\\", "\\\\?\\pipe\\", "@"};
    wchar_t path[300];
    swprintf(path, COUNT(path), L"\\\\.\\pipe\\lipc-test.%lu\\a b\\x", GetCurrentProcessId());
    for (size_t i = 0; i < COUNT(forms); i++) {
        char text[200];
        lipc_name name, told;
        snprintf(text, sizeof text, "%slipc-test.%lu\\a b\\x", forms[i], GetCurrentProcessId());
        test_row = text;
        CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &name));
        check_found(&name, path);
        lipc_listener *listener = listen_on(&name);
        lipc_listener_name(listener, &told);
        CHECK(same_name(&name, &told));
        check_serves(listener, &name);
        lipc_listener_close(listener);
    }
}

TEST(names_of_app_containers_and_of_administrators_can_be_had) {
    static const char *const rows[] = {"@LOCAL\\lipc-test.%lu", "@ProtectedPrefix\\Administrators\\lipc-test.%lu",
                                       "system:lipc-test.%lu"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[200];
        lipc_name name;
        lipc_listener *listener;
        test_row = rows[i];
        snprintf(text, sizeof text, rows[i], GetCurrentProcessId());
        CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &name));
        int r = lipc_listen(&name, NULL, &listener);
        if (i > 0 && lipc_error_code(r) == LIPC_EACCES) /* to an administrator only */
            continue;
        CHECK_OK(r);
        check_serves(listener, &name);
        lipc_listener_close(listener);
    }
}

TEST(names_that_differ_in_case_alone_mean_the_same_pipe) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "Straße"), other = name_for(LIPC_NAME_NAMESPACED, "sTRAßE");
    lipc_listener *listener = listen_on(&name);
    lipc_handle client = connect_to(&other), server = accept_from(listener);
    check_connected(client, server);
    CHECK(!same_name(&name, &other));
    close_ends(client, server);
    lipc_listener_close(listener);
}

TEST(names_that_are_not_ascii_are_utf8) {
    wchar_t path[300];
    char text[200];
    lipc_name name;
    DWORD process = GetCurrentProcessId();
    snprintf(text, sizeof text, "@lipc-test.%lu.gr\xc3\xbc\xc3\x9f-\xe2\x82\xac-\xf0\x9f\x99\x82", process);
    swprintf(path, COUNT(path), L"\\\\.\\pipe\\lipc-test.%lu.gr\x00fc\x00df-\x20ac-\xd83d\xde42", process);
    CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &name));
    check_found(&name, path);
    lipc_listener *listener = listen_on(&name);
    lipc_handle client = connect_to(&name), server = accept_from(listener);
    lipc_name told;
    CHECK_OK(lipc_local_name(server, &told));
    CHECK_STRING(name.text, told.text + strlen(PREFIX));
    close_ends(client, server);
    lipc_listener_close(listener);
}

TEST(text_that_is_not_utf8_is_no_name) {
    static char continued[5000];
    memset(continued, 0x80, sizeof continued); /* bytes that continue a character, and begin none */
    check_name(lipc_name_namespaced, 0, "a\xff\xfe", LIPC_STRLEN, LIPC_ENAME);
    check_name(lipc_name_namespaced, 0, "\xed\xa0\x80", LIPC_STRLEN, LIPC_ENAME); /* half of a surrogate pair */
    check_name(lipc_name_namespaced, 0, continued, LIPC_NAME_CAPACITY - 1, LIPC_ENAME);
    check_name(lipc_name_namespaced, 0, continued, LIPC_NAME_CAPACITY, LIPC_ENAMETOOLONG);
    check_name(lipc_name_namespaced, 0, continued, sizeof continued, LIPC_ENAMETOOLONG);
}

TEST(the_longest_names_work) {
    for (size_t i = 0; i < COUNT(types); i++) {
        char start[64];
        lipc_name name;
        lipc_listener *listener;
        snprintf(start, sizeof start, "%slipc-test.%lu.", types[i].start, GetCurrentProcessId());
        test_row = start;
        CHECK_OK(types[i].make(letters(start, (size_t)lipc_name_limit(types[i].type)), LIPC_STRLEN, &name));
        int r = lipc_listen(&name, NULL, &listener);
        if (types[i].type == LIPC_NAME_SYSTEM && lipc_error_code(r) == LIPC_EACCES) /* to an administrator only */
            continue;
        CHECK_OK(r);
        check_serves(listener, &name);
        lipc_listener_close(listener);
    }
}

TEST(a_name_that_is_made_by_hand_is_checked_when_it_is_used) {
    char location[LIPC_NAME_CAPACITY];
    static lipc_name names[] = {
        {0, 0, ""},
        {LIPC_NAME_PATH, 1, "x"},
        {LIPC_NAME_PATH, 0, ""},
        {LIPC_NAME_NAMESPACED, 0, ""},
        {LIPC_NAME_NAMESPACED, 3, "a/b"},
        {LIPC_NAME_USER, 3, "a\\b"},
        {LIPC_NAME_SYSTEM, 2, ".."},
        {7, 1, "x"},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        lipc_listener *listener;
        lipc_handle client;
        int wanted = lipc_error_code(lipc_listen(&names[i], NULL, &listener));
        CHECK(wanted == LIPC_ENAME || wanted == LIPC_EINVAL);
        CHECK_ERROR(wanted, lipc_connect(&names[i], NULL, 0, &client));
        CHECK_ERROR(wanted, lipc_name_location(&names[i], location, sizeof location));
    }
    names[0].type = LIPC_NAME_PATH;
    names[0].length = UINT32_MAX;
    CHECK_ERROR(LIPC_ENAMETOOLONG, lipc_name_location(&names[0], location, sizeof location));
}
