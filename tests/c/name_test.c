/* Names: what may be one, how they are written, and that the system sees exactly what was given. */
#include "fixture.h"

static char *letters(size_t length) {
    static char text[4096];
    memset(text, 'a', sizeof text);
    text[length] = '\0';
    return text;
}

typedef int make_name(const char *, size_t, lipc_name *);

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
    CHECK_INT(ABSTRACT_NAMES ? sun_path - 1 : sun_path - (int)strlen(test_directory) - (int)strlen("/lipc/"),
              lipc_name_limit(LIPC_NAME_NAMESPACED));
    static const int no_types[] = {0, 3, -1, 99};
    for (size_t i = 0; i < sizeof no_types / sizeof *no_types; i++)
        CHECK_ERROR(LIPC_EINVAL, lipc_name_limit(no_types[i]));
}

TEST(an_empty_name_is_refused) {
    make_name *all[] = {lipc_name_path, lipc_name_namespaced, lipc_name_parse};
    for (int i = 0; i < 3; i++) {
        check_name(all[i], 0, "", 0, LIPC_ENAME);
        check_name(all[i], 0, "", LIPC_STRLEN, LIPC_ENAME);
        check_name(all[i], 0, "text", 0, LIPC_ENAME);
    }
    check_name(lipc_name_parse, 0, "@", LIPC_STRLEN, LIPC_ENAME);
    check_name(lipc_name_parse, 0, "@x", 1, LIPC_ENAME);
}

TEST(a_name_at_the_limit_is_one_and_over_it_is_refused) {
    make_name *makes[] = {NULL, lipc_name_path, lipc_name_namespaced};
    EACH_NAME_TYPE(type) {
        size_t limit = (size_t)lipc_name_limit(type);
        check_name(makes[type], type, "x", 1, 0);
        check_name(makes[type], type, letters(limit), limit, 0);
        check_name(makes[type], type, letters(limit), LIPC_STRLEN, 0);
        check_name(makes[type], type, letters(limit + 1), limit, 0);
        check_name(makes[type], type, letters(limit + 1), limit + 1, LIPC_ENAMETOOLONG);
        check_name(makes[type], type, letters(limit + 1), LIPC_STRLEN, LIPC_ENAMETOOLONG);
        check_name(makes[type], type, letters(4000), LIPC_STRLEN, LIPC_ENAMETOOLONG);
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

TEST(a_path_that_begins_with_an_at_sign_is_written_with_its_directory) {
    lipc_name name, again;
    char text[16];
    CHECK_OK(lipc_name_path("@x", LIPC_STRLEN, &name));
    CHECK_STRING("@x", name.text);
    CHECK_INT(4, lipc_name_format(&name, text, sizeof text));
    CHECK_STRING("./@x", text);
    CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &again));
    CHECK_INT(LIPC_NAME_PATH, again.type);
}

TEST(a_name_is_written_only_where_it_fits) {
    char text[LIPC_NAME_CAPACITY + 2];
    static const char *const written[] = {"@ab", "abc", ""};
    for (int i = 0; i < 3; i++) {
        lipc_name name = {0, 0, ""}; /* no name at all is the empty string */
        if (i < 2)
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
    EACH_NAME_TYPE(type) {
        lipc_name name;
        make_name *makes[] = {NULL, lipc_name_path, lipc_name_namespaced};
        CHECK_OK(makes[type](letters((size_t)lipc_name_limit(type)), LIPC_STRLEN, &name));
        CHECK_OK(lipc_name_format(&name, text, sizeof text));
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

#else

/* What is in the place of the directory for namespaced names when a listener comes. */
static void made_open(const char *path) {
    CHECK(mkdir(path, 0700) == 0 && chmod(path, 0710) == 0);
}

static void made_searchable_by_others(const char *path) {
    CHECK(mkdir(path, 0700) == 0 && chmod(path, 0701) == 0);
}

static void made_a_link(const char *path) {
    CHECK(mkdir(in_directory("target"), 0700) == 0 && symlink(in_directory("target"), path) == 0);
}

static void made_a_file(const char *path) {
    CHECK(close(open(path, O_CREAT | O_RDWR, 0600)) == 0);
}

static void made_someone_elses(const char *path) {
    CHECK(mkdir(path, 0700) == 0 && (geteuid() != 0 || chown(path, NOBODY, NOBODY) == 0));
}

TEST(a_directory_that_others_could_use_is_refused_for_namespaced_names) {
    static const struct {
        void (*make)(const char *);
        const char *name;
    } rows[] = {{made_open, "open to a group"},
                {made_searchable_by_others, "open to all"},
                {made_a_link, "a link"},
                {made_a_file, "a file"},
                {made_someone_elses, "another user's"}};
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        if (rows[i].make == made_someone_elses && geteuid() != 0)
            continue; /* only root can give a directory away */
        lipc_listener *listener;
        lipc_handle client;
        rows[i].make(in_directory("lipc"));
        memset(&listener, UNTOUCHED, sizeof listener);
        CHECK_ERROR(LIPC_EACCES, lipc_listen(&name, NULL, &listener));
        CHECK(is_untouched(&listener, sizeof listener));
        CHECK_ERROR(LIPC_EACCES, lipc_connect(&name, NULL, 0, &client));
        CHECK(remove(in_directory("lipc")) == 0);
    }
    CHECK(rmdir(in_directory("target")) == 0);
}

TEST(the_directory_of_namespaced_names_is_made_for_its_user_alone) {
    static const mode_t masks[] = {0, 022, 077, 0777};
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s"), told;
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        struct stat st;
        char wanted[2 * LIPC_NAME_CAPACITY];
        umask(masks[i]);
        lipc_listener *listener = listen_on(&name);
        CHECK(stat(in_directory("lipc"), &st) == 0 && S_ISDIR(st.st_mode));
        CHECK_INT(0700, st.st_mode & 07777);
        CHECK(snprintf(wanted, sizeof wanted, "%s/lipc/%s", test_directory, name.text) < (int)sizeof wanted);
        CHECK_OK(lipc_local_name(lipc_listener_handle(listener), &told));
        CHECK_INT(LIPC_NAME_PATH, told.type);
        CHECK_STRING(wanted, told.text);
        lipc_listener_close(listener);
        CHECK(rmdir(in_directory("lipc")) == 0);
    }
}

TEST(a_client_makes_no_directory) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_handle client;
    CHECK_ERROR(LIPC_ENOENT, lipc_connect(&name, NULL, 0, &client));
    CHECK(!exists("lipc"));
}

TEST(without_a_runtime_directory_namespaced_names_live_in_tmp) {
    char directory[64];
    int length = snprintf(directory, sizeof directory, "/tmp/lipc-%lu/", (unsigned long)geteuid());
    static const char *const unusable[] = {NULL, "", "relative"};
    for (int i = 0; i < 3; i++) {
        unusable[i] != NULL ? setenv("XDG_RUNTIME_DIR", unusable[i], 1) : unsetenv("XDG_RUNTIME_DIR");
        CHECK_INT(lipc_name_limit(LIPC_NAME_PATH) - length, lipc_name_limit(LIPC_NAME_NAMESPACED));
        lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s"), told;
        lipc_listener *listener = listen_on(&name);
        CHECK_OK(lipc_local_name(lipc_listener_handle(listener), &told));
        CHECK(strncmp(directory, told.text, (size_t)length) == 0);
        lipc_listener_close(listener);
        rmdir(directory); /* unless it is in use */
    }
}

#endif
