/* The name of a datagram socket: its file, and who may take it. */
#include "datagram.h"

TEST(the_file_has_the_mode_and_goes_with_the_socket) {
    static const struct {
        uint32_t asked, wanted;
    } modes[] = {{0, 0600}, {0600, 0600}, {0666, 0666}, {0777, 0777}, {0420, 0420}};
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        for (mode_t mask = 0; mask <= 0777; mask += 0777) {
            lipc_listen_options options = as_datagrams;
            options.mode = modes[i].asked;
            lipc_listener *listener;
            struct stat st;
            mode_t before = umask(mask);
            int r = lipc_listen(&name, &options, &listener);
            umask(before);
            CHECK_OK(r);
            CHECK(lstat(name.text, &st) == 0 && S_ISSOCK(st.st_mode));
            CHECK_INT(modes[i].wanted, st.st_mode & 0777);
            lipc_listener_close(listener);
            CHECK(!exists("s") && !exists("s.lock"));
        }
}

static void bind_and_stay(const void *name) {
    bind_to(name);
    ready();
    stay();
}

TEST(the_name_of_a_living_socket_is_taken_and_that_of_a_dead_one_free) {
    EACH_NAME_TYPE(type) {
        lipc_name name = name_for(type, "s");
        lipc_listener *listener = NULL;
        pid_t process = start(bind_and_stay, &name);
        CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, &as_datagrams, &listener));
        if (type == LIPC_NAME_PATH || !ABSTRACT_NAMES) /* nor for another kind */
            CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, NULL, &listener));
        kill_hard(process);
        CHECK_OK(lipc_listen(&name, &as_datagrams, &listener));
        lipc_handle client = connect_datagrams(&name);
        CHECK_INT(2, lipc_send(client, "ok", 2, WAIT));
        check_next(lipc_listener_handle(listener), "ok", NULL);
        CHECK_OK(lipc_close(client));
        lipc_listener_close(listener);
    }
}

/* That program knows nothing of locks. */
TEST(the_socket_of_another_program_is_left_alone_while_it_lives) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    int plain = plain_socket(SOCK_DGRAM, "s", -1), other = plain_socket(SOCK_DGRAM, "other", -1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, in_directory("other"));
    lipc_listener *listener;
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, &as_datagrams, &listener));
    /* A socket that is connected to another one refuses the probe, and is alive. */
    CHECK(connect(plain, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK_ERROR(LIPC_EADDRINUSE, lipc_listen(&name, &as_datagrams, &listener));
    CHECK(exists("s") && !exists("s.lock"));
    CHECK(close(plain) == 0 && close(other) == 0);
    CHECK_OK(lipc_listen(&name, &as_datagrams, &listener));
    lipc_listener_close(listener);
    remove_file("other");
}

TEST(a_bound_socket_accepts_nobody) {
    lipc_name name = name_for(LIPC_NAME_PATH, "s");
    lipc_listener *listener = bind_to(&name), *adopted;
    lipc_handle connection, again;
    memset(&connection, UNTOUCHED, sizeof connection);
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_accept(listener, 0, NULL, &connection));
    CHECK(is_untouched(&connection, sizeof connection));
    CHECK_OK(lipc_duplicate(lipc_listener_handle(listener), &again));
    CHECK_INT(LIPC_DATAGRAM, lipc_adopt(again));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_listener_adopt(again, NULL, &adopted));
    CHECK_OK(lipc_close(again));
    lipc_listener_close(listener);
}
