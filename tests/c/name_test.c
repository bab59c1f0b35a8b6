/* Names: what may be one, how they are written, and that the system sees exactly what was given. */
#include "fixture.h"

#ifdef __linux__
#define SYSTEM_DIRECTORY "/run/lipc"
#else
#define SYSTEM_DIRECTORY "/var/run/lipc"
#endif

static char *letters(size_t length) {
    static char text[4096];
    memset(text, 'a', sizeof text);
    text[length] = '\0';
    return text;
}

typedef int make_name(const char *, size_t, lipc_name *);

/* The function for each type of name. */
static const struct {
    int type;
    make_name *make;
} makes[] = {
    {LIPC_NAME_PATH, lipc_name_path},
    {LIPC_NAME_NAMESPACED, lipc_name_namespaced},
    {LIPC_NAME_USER, lipc_name_user},
    {LIPC_NAME_SYSTEM, lipc_name_system},
};
enum { MAKES = sizeof makes / sizeof *makes };

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

TEST(this_system_has_all_types_of_name) {
    CHECK_INT(LIPC_NAME_PATH | LIPC_NAME_NAMESPACED | LIPC_NAME_USER | LIPC_NAME_SYSTEM, lipc_name_types());
}

TEST(the_limits_are_those_of_the_system) {
    int sun_path = (int)sizeof(((struct sockaddr_un *)0)->sun_path);
    CHECK_INT(sun_path, lipc_name_limit(LIPC_NAME_PATH));
    int user = sun_path - (int)strlen(test_directory) - (int)strlen("/lipc/");
    CHECK_INT(user, lipc_name_limit(LIPC_NAME_USER));
    CHECK_INT(ABSTRACT_NAMES ? sun_path - 1 : user, lipc_name_limit(LIPC_NAME_NAMESPACED));
    CHECK_INT(sun_path - (int)strlen(SYSTEM_DIRECTORY "/"), lipc_name_limit(LIPC_NAME_SYSTEM));
    static const int no_types[] = {0, 3, -1, 99};
    for (size_t i = 0; i < sizeof no_types / sizeof *no_types; i++)
        CHECK_ERROR(LIPC_EINVAL, lipc_name_limit(no_types[i]));
}

TEST(an_empty_name_is_refused) {
    for (int i = 0; i <= MAKES; i++) {
        make_name *make = i < MAKES ? makes[i].make : lipc_name_parse;
        check_name(make, 0, "", 0, LIPC_ENAME);
        check_name(make, 0, "", LIPC_STRLEN, LIPC_ENAME);
        check_name(make, 0, "text", 0, LIPC_ENAME);
    }
    static const char *const prefixes[] = {"@", "user:", "system:"};
    for (int i = 0; i < 3; i++) {
        char text[16];
        snprintf(text, sizeof text, "%sx", prefixes[i]);
        check_name(lipc_name_parse, 0, prefixes[i], LIPC_STRLEN, LIPC_ENAME);
        check_name(lipc_name_parse, 0, text, strlen(prefixes[i]), LIPC_ENAME);
    }
}

TEST(a_name_at_the_limit_is_one_and_over_it_is_refused) {
    for (int i = 0; i < MAKES; i++) {
        int type = makes[i].type;
        make_name *make = makes[i].make;
        size_t limit = (size_t)lipc_name_limit(type);
        test_row = word_for_type(type);
        check_name(make, type, "x", 1, 0);
        check_name(make, type, letters(limit), limit, 0);
        check_name(make, type, letters(limit), LIPC_STRLEN, 0);
        check_name(make, type, letters(limit + 1), limit, 0);
        check_name(make, type, letters(limit + 1), limit + 1, LIPC_ENAMETOOLONG);
        check_name(make, type, letters(limit + 1), LIPC_STRLEN, LIPC_ENAMETOOLONG);
        check_name(make, type, letters(4000), LIPC_STRLEN, LIPC_ENAMETOOLONG);
        check_name(lipc_name_parse, type, letters(4000), LIPC_STRLEN, LIPC_ENAMETOOLONG);
    }
}

TEST(what_a_name_may_not_hold_is_refused) {
    int file_rule = ABSTRACT_NAMES ? 0 : LIPC_ENAME; /* for namespaced names that are files */
    static const size_t nul = sizeof "a\0b" - 1;
    check_name(lipc_name_path, LIPC_NAME_PATH, "a\0b", nul, LIPC_ENAME);
    check_name(lipc_name_path, LIPC_NAME_PATH, "a\0b", LIPC_STRLEN, 0);
    check_name(lipc_name_path, LIPC_NAME_PATH, "\0", 1, LIPC_ENAME);
    check_name(lipc_name_path, LIPC_NAME_PATH, "ab\0", 3, LIPC_ENAME);
    check_name(lipc_name_path, LIPC_NAME_PATH, ".", 1, 0);
    check_name(lipc_name_namespaced, LIPC_NAME_NAMESPACED, "a\0b", nul, file_rule);
    check_name(lipc_name_namespaced, LIPC_NAME_NAMESPACED, "\0", 1, file_rule);
    check_name(lipc_name_namespaced, LIPC_NAME_NAMESPACED, "a/b", 3, file_rule);
    check_name(lipc_name_namespaced, LIPC_NAME_NAMESPACED, "/", 1, file_rule);
    check_name(lipc_name_namespaced, LIPC_NAME_NAMESPACED, ".", 1, file_rule);
    check_name(lipc_name_namespaced, LIPC_NAME_NAMESPACED, "..", 2, file_rule);
    check_name(lipc_name_namespaced, LIPC_NAME_NAMESPACED, "...", 3, 0);
    check_name(lipc_name_namespaced, LIPC_NAME_NAMESPACED, ".a", 2, 0);
}

/* The rule is the same on every system. */
TEST(what_a_users_or_the_systems_name_may_not_hold_is_refused) {
    static const struct {
        const char *text;
        size_t length;
        bool good;
    } rows[] = {
        {"a", 1, true},           {"a.b", 3, true},       {"a b", 3, true},        {" a", 2, true},
        {"a.lock.b", 8, true},    {"lock", 4, true},      {"alock", 5, true},      {"a:b", 3, true},
        {"@a", 2, true},          {"user:a", 6, true},    {"\xc3\xa4", 2, true},   {"a.LOCK", 6, true},
        {"a\0b", 3, false},       {"\0", 1, false},       {"a\0", 2, false},       {"/", 1, false},
        {"a/b", 3, false},        {"/a", 2, false},       {"a/", 2, false},        {"../a", 4, false},
        {"\\", 1, false},         {"a\\b", 3, false},     {".", 1, false},         {"..", 2, false},
        {".a", 2, false},         {"a.", 2, false},       {"a ", 2, false},        {" ", 1, false},
        {".lock", 5, false},      {"a.lock", 6, false},   {"a.lock\0", 7, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char row[32], text[32];
        snprintf(row, sizeof row, "row %zu, %s", i, rows[i].text);
        test_row = row;
        int wanted = rows[i].good ? 0 : LIPC_ENAME;
        check_name(lipc_name_user, LIPC_NAME_USER, rows[i].text, rows[i].length, wanted);
        check_name(lipc_name_system, LIPC_NAME_SYSTEM, rows[i].text, rows[i].length, wanted);
        lipc_name name;
        memcpy(text, "user:", 5);
        memcpy(text + 5, rows[i].text, rows[i].length);
        CHECK_ERROR(wanted, lipc_name_parse(text, 5 + rows[i].length, &name));
        if (rows[i].good)
            CHECK(name.type == LIPC_NAME_USER && name.length == rows[i].length);
    }
}

/* A caller can fill in a lipc_name itself. */
TEST(a_name_that_no_function_made_is_refused_where_it_is_used) {
    static const struct {
        uint32_t type;
        const char *text;
        int error;
    } rows[] = {
        {LIPC_NAME_USER, "../x", LIPC_ENAME},  {LIPC_NAME_SYSTEM, "x/y", LIPC_ENAME}, {LIPC_NAME_USER, "", LIPC_ENAME},
        {LIPC_NAME_SYSTEM, "x.lock", LIPC_ENAME}, {3, "x", LIPC_EINVAL}, {0, "", LIPC_ENAME},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lipc_name name = {rows[i].type, (uint32_t)strlen(rows[i].text), ""};
        lipc_listener *listener;
        lipc_handle client;
        char text[LIPC_NAME_CAPACITY];
        strcpy(name.text, rows[i].text);
        test_row = rows[i].text;
        CHECK_ERROR(rows[i].error, lipc_listen(&name, NULL, &listener));
        CHECK_ERROR(rows[i].error, lipc_connect(&name, NULL, 0, &client));
        CHECK_ERROR(rows[i].error, lipc_name_location(&name, text, sizeof text));
    }
}

TEST(names_are_parsed_and_written_back) {
    static const struct {
        const char *text;
        int type;
        const char *name, *written;
    } rows[] = {
        {"x", LIPC_NAME_PATH, "x", "x"},
        {"/tmp/x y", LIPC_NAME_PATH, "/tmp/x y", "/tmp/x y"},
        {"./@x", LIPC_NAME_PATH, "./@x", "./@x"},
        {"x@y", LIPC_NAME_PATH, "x@y", "x@y"},
        {"@x", LIPC_NAME_NAMESPACED, "x", "@x"},
        {"@@x", LIPC_NAME_NAMESPACED, "@x", "@@x"},
        {"@x@", LIPC_NAME_NAMESPACED, "x@", "@x@"},
        {"user:x", LIPC_NAME_USER, "x", "user:x"},
        {"user:user:x", LIPC_NAME_USER, "user:x", "user:user:x"},
        {"user:@x", LIPC_NAME_USER, "@x", "user:@x"},
        {"system:x", LIPC_NAME_SYSTEM, "x", "system:x"},
        {"@user:x", LIPC_NAME_NAMESPACED, "user:x", "@user:x"},
        {"user", LIPC_NAME_PATH, "user", "user"},
        {"User:x", LIPC_NAME_PATH, "User:x", "User:x"},
        {" user:x", LIPC_NAME_PATH, " user:x", " user:x"},
        {"system", LIPC_NAME_PATH, "system", "system"},
        {"./user:x", LIPC_NAME_PATH, "./user:x", "./user:x"},
        {"/user:x", LIPC_NAME_PATH, "/user:x", "/user:x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[LIPC_NAME_CAPACITY + 2];
        lipc_name name, again;
        test_row = rows[i].text;
        CHECK_OK(lipc_name_parse(rows[i].text, LIPC_STRLEN, &name));
        CHECK_INT(rows[i].type, name.type);
        CHECK_STRING(rows[i].name, name.text);
        CHECK_INT((int)strlen(rows[i].written), lipc_name_format(&name, text, sizeof text));
        CHECK_STRING(rows[i].written, text);
        CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &again));
        CHECK(same_name(&name, &again));
    }
}

TEST(a_path_that_begins_like_another_type_of_name_is_written_with_its_directory) {
    static const char *const paths[] = {"@x", "@", "user:x", "user:", "user:a/b", "system:x", "system:"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        lipc_name name, again;
        char text[32], wanted[32];
        test_row = paths[i];
        CHECK_OK(lipc_name_path(paths[i], LIPC_STRLEN, &name));
        CHECK_STRING(paths[i], name.text);
        snprintf(wanted, sizeof wanted, "./%s", paths[i]);
        CHECK_INT((int)strlen(wanted), lipc_name_format(&name, text, sizeof text));
        CHECK_STRING(wanted, text);
        CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &again));
        CHECK_INT(LIPC_NAME_PATH, again.type);
    }
}

TEST(the_location_is_what_other_programs_connect_to) {
    char user[64];
    snprintf(user, sizeof user, "%s/lipc/x", test_directory);
    const struct {
        const char *text, *location;
    } rows[] = {{"user:x", user},
                {"system:x", SYSTEM_DIRECTORY "/x"},
                {"/a/b", "/a/b"},
                {"user", "user"},
                {"./user:x", "./user:x"},
                {"@x", ABSTRACT_NAMES ? "@x" : user}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lipc_name name;
        char text[LIPC_NAME_CAPACITY];
        const size_t length = strlen(rows[i].location);
        test_row = rows[i].text;
        CHECK_OK(lipc_name_parse(rows[i].text, LIPC_STRLEN, &name));
        for (size_t size = 0; size <= length; size++) {
            memset(text, UNTOUCHED, sizeof text);
            CHECK_ERROR(LIPC_EMSGSIZE, lipc_name_location(&name, text, size));
            CHECK(is_untouched(text, sizeof text));
        }
        CHECK_INT((int)length, lipc_name_location(&name, text, length + 1));
        CHECK_STRING(rows[i].location, text);
        CHECK(is_untouched(text + length + 1, 16));
    }
    CHECK(!exists("lipc")); /* nothing is made */
}

TEST(a_name_is_written_only_where_it_fits) {
    char text[LIPC_NAME_CAPACITY + 7];
    static const char *const written[] = {"@ab", "abc", "user:ab", "system:ab", ""};
    for (int i = 0; i < 5; i++) {
        lipc_name name = {0, 0, ""}; /* no name at all is the empty string */
        if (i < 4)
            CHECK_OK(lipc_name_parse(written[i], LIPC_STRLEN, &name));
        size_t length = strlen(written[i]);
        for (size_t size = 0; size <= length; size++) {
            memset(text, UNTOUCHED, sizeof text);
            CHECK_ERROR(LIPC_EMSGSIZE, lipc_name_format(&name, text, size));
            CHECK(is_untouched(text, sizeof text));
        }
        CHECK_INT((int)length, lipc_name_format(&name, text, length + 1));
        CHECK_STRING(written[i], text);
        CHECK(is_untouched(text + length + 1, 16));
    }
    for (int i = 0; i < MAKES; i++) {
        lipc_name name;
        CHECK_OK(makes[i].make(letters((size_t)lipc_name_limit(makes[i].type)), LIPC_STRLEN, &name));
        CHECK_OK(lipc_name_format(&name, text, sizeof text));
        CHECK_OK(lipc_name_location(&name, text, LIPC_NAME_CAPACITY));
    }
}

/* Listens on a name and connects to it, and checks that every call reports the same name. */
static void check_whole(const lipc_name *name) {
    lipc_listener *listener = listen_on(name);
    lipc_handle client = connect_to(name), server = accept_from(listener);
    lipc_name told[4];
    check_connected(client, server);
    lipc_listener_name(listener, &told[0]);
    CHECK_OK(lipc_local_name(lipc_listener_handle(listener), &told[1]));
    CHECK_OK(lipc_local_name(server, &told[2]));
    CHECK_OK(lipc_peer_name(client, &told[3]));
    for (int i = 0; i < 4; i++)
        CHECK(same_name(name, &told[i]));
    close_all((lipc_handle[]){client, server}, 2);
    lipc_listener_close(listener);
}

TEST(a_path_may_fill_sun_path_to_the_last_byte) {
    lipc_name name;
    for (int missing = 2; missing >= 0; missing--) {
        char text[256];
        snprintf(text, sizeof text, "%s/%.200s", test_directory, letters(200));
        text[lipc_name_limit(LIPC_NAME_PATH) - missing] = '\0';
        CHECK_OK(lipc_name_path(text, LIPC_STRLEN, &name));
        check_whole(&name);
    }
}

TEST(a_relative_path_is_a_name) {
    lipc_name name;
    CHECK(chdir(test_directory) == 0);
    CHECK_OK(lipc_name_parse("./@s", LIPC_STRLEN, &name));
    check_whole(&name);
    CHECK_OK(lipc_name_path("@s", LIPC_STRLEN, &name));
    check_whole(&name);
}

#if ABSTRACT_NAMES

TEST(an_abstract_name_may_have_any_bytes_and_every_length) {
    char text[108];
    int limit = lipc_name_limit(LIPC_NAME_NAMESPACED);
    for (int length = (int)strlen(test_directory); length <= limit; length++) {
        lipc_name name;
        memset(text, '\0', sizeof text);
        strcpy(text, test_directory);
        text[length - 1] = length % 2 ? '\0' : '\xff';
        CHECK_OK(lipc_name_namespaced(text, (size_t)length, &name));
        check_whole(&name);
    }
}

TEST(abstract_names_that_differ_behind_a_nul_are_different_names) {
    lipc_name names[3];
    lipc_listener *listeners[3];
    for (int i = 0; i < 3; i++) { /* the last is the first without what follows its text */
        char text[64];
        int n = snprintf(text, sizeof text, "%s%c%c", test_directory, '\0', "bc"[i % 2]);
        CHECK_OK(lipc_name_namespaced(text, (size_t)(i < 2 ? n : n - 2), &names[i]));
        listeners[i] = listen_on(&names[i]);
    }
    for (int i = 0; i < 3; i++) {
        lipc_handle client = connect_to(&names[i]), server = accept_from(listeners[i]);
        check_connected(client, server);
        close_all((lipc_handle[]){client, server}, 2);
    }
    for (int i = 0; i < 3; i++)
        lipc_listener_close(listeners[i]);
}

TEST(an_abstract_name_has_its_exact_length_and_no_padding) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, name.text, name.length);
    socklen_t exact = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name.length);
    static const struct {
        int more;
        bool connects;
    } rows[] = {{0, true}, {1, false}, {-1, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = plain_socket(SOCK_STREAM, NULL, -1);
        int r = connect(fd, (struct sockaddr *)&address, exact + (socklen_t)rows[i].more);
        CHECK(rows[i].connects ? r == 0 : r < 0 && errno == ECONNREFUSED);
        close(fd);
    }
    lipc_listener_close(listener);
}

#endif
