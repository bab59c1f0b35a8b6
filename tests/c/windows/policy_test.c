/* Who may be at the other end. Every process of a prefix of Wine has the same user, so what is refused here is mostly
 * that user; policy_fault_test.c has clients whose user is not known. */
#include "fixture.h"

#define SYSTEM "S-1-5-18"
#define STRANGER "S-1-5-21-1-2-3-4"

static const char *me(void) {
    return user_of(GetCurrentProcess());
}

/* Whether this process is an administrator, and elevated. */
static bool is_elevated(void) {
    PSID administrators;
    BOOL is_member;
    CHECK(ConvertStringSidToSidA(ADMINISTRATORS, &administrators));
    CHECK(CheckTokenMembership(NULL, administrators, &is_member));
    LocalFree(administrators);
    return is_member;
}

/* A policy that also lists NETWORK SERVICE and, unless it is NULL, one user more; good for the next seven calls. */
static lipc_peer_policy policy_of(int peers, const char *sid) {
    static const char *lists[8][2];
    static unsigned next;
    const char **sids = lists[next++ % COUNT(lists)];
    sids[0] = "S-1-5-20";
    sids[1] = sid;
    return (lipc_peer_policy){.size = sizeof(lipc_peer_policy), .peers = peers, .sid_count = sid != NULL ? 2 : 1,
                              .sids = sids};
}

static lipc_listener *listen_to(const lipc_name *name, const lipc_peer_policy *clients) {
    lipc_listen_options options = {.size = sizeof options, .clients = clients};
    lipc_listener *listener;
    CHECK_OK(lipc_listen(name, &options, &listener));
    return listener;
}

static int connect_if(const lipc_name *name, const lipc_peer_policy *server, lipc_handle *ret_client) {
    lipc_connect_options options = {.size = sizeof options, .server = server};
    return lipc_connect(name, &options, WAIT, ret_client);
}

TEST(a_policy_admits_the_users_that_it_names) {
    const struct {
        int peers;
        const char *listed, *sid;
        int code;
    } rows[] = {
        {LIPC_PEERS_ANY, NULL, STRANGER, 0},
        {LIPC_PEERS_ANY, NULL, NULL, 0},
        {0, NULL, me(), LIPC_EACCES},
        {0, NULL, SYSTEM, LIPC_EACCES},
        {0, STRANGER, STRANGER, 0},
        {0, STRANGER, "S-1-5-20", 0},
        {0, STRANGER, "S-1-5-21-1-2-3", LIPC_EACCES},
        {0, STRANGER, STRANGER "5", LIPC_EACCES},
        {0, "", NULL, LIPC_EACCES},
        {0, "", "", LIPC_EACCES},
        {LIPC_PEERS_SAME_USER, NULL, me(), 0},
        {LIPC_PEERS_SAME_USER, NULL, STRANGER, LIPC_EACCES},
        {LIPC_PEERS_SAME_USER, NULL, SYSTEM, LIPC_EACCES},
        {LIPC_PEERS_SAME_USER, NULL, ADMINISTRATORS, LIPC_EACCES},
        {LIPC_PEERS_SAME_USER, NULL, NULL, LIPC_EACCES},
        {LIPC_PEERS_SAME_USER, STRANGER, STRANGER, 0},
        {LIPC_PEERS_ADMIN, NULL, SYSTEM, 0},
        {LIPC_PEERS_ADMIN, NULL, ADMINISTRATORS, 0},
        {LIPC_PEERS_ADMIN, NULL, me(), LIPC_EACCES}, /* an identifier alone does not say whether the user is one */
        {LIPC_PEERS_ADMIN, NULL, "S-1-5-32-545", LIPC_EACCES},
        {LIPC_PEERS_ADMIN, NULL, NULL, LIPC_EACCES},
        {LIPC_PEERS_ADMIN | LIPC_PEERS_SAME_USER, NULL, me(), 0},
        {LIPC_PEERS_ADMIN | LIPC_PEERS_SAME_USER, NULL, SYSTEM, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char row[32], longer[4 * LIPC_SID_CAPACITY];
        lipc_peer_policy policy = policy_of(rows[i].peers, rows[i].listed);
        snprintf(row, sizeof row, "row %d", (int)i);
        test_row = row;
        CHECK_ERROR(rows[i].code, lipc_peer_policy_check(&policy, -1, rows[i].sid));
        CHECK_ERROR(rows[i].code, lipc_peer_policy_check(&policy, 0, rows[i].sid)); /* there are no such ids here */
        memset(longer, '1', sizeof longer - 1);
        longer[sizeof longer - 1] = '\0';
        CHECK_ERROR(rows[i].peers & LIPC_PEERS_ANY ? 0 : LIPC_EACCES, lipc_peer_policy_check(&policy, -1, longer));
    }
    CHECK_OK(lipc_peer_policy_check(NULL, -1, NULL));
}

TEST(a_policy_with_bits_that_do_not_exist_is_refused) {
    static const int wrong[] = {8, -1, LIPC_PEERS_ANY | 16, INT_MIN};
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        lipc_peer_policy policy = {.size = sizeof policy, .peers = wrong[i]};
        lipc_listen_options listening = {.size = sizeof listening, .clients = &policy};
        lipc_listener *listener;
        lipc_handle client;
        CHECK_ERROR(LIPC_EINVAL, lipc_peer_policy_check(&policy, -1, me()));
        CHECK_ERROR(LIPC_EINVAL, lipc_peer_check(c.client, &policy));
        CHECK_ERROR(LIPC_EINVAL, lipc_peer_check(c.server, &policy));
        CHECK_ERROR(LIPC_EINVAL, lipc_listen(&name, &listening, &listener));
        CHECK_ERROR(LIPC_EINVAL, connect_if(&name, &policy, &client));
    }
    close_ends(c.client, c.server);
}

TEST(a_policy_is_for_streams_and_messages_alone) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_peer_policy policy = policy_of(LIPC_PEERS_ANY, NULL);
    lipc_listen_options listening = {.size = sizeof listening, .kind = LIPC_DATAGRAM, .clients = &policy};
    lipc_connect_options connecting = {.size = sizeof connecting, .kind = LIPC_DATAGRAM, .server = &policy};
    lipc_listener *listener;
    lipc_handle client;
    CHECK_ERROR(LIPC_ENOTSUP, lipc_listen(&name, &listening, &listener));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_connect(&name, &connecting, 0, &client));
}

TEST(both_ends_of_a_connection_can_be_checked) {
    EACH_CONNECTION(LIPC_STREAM, a, b) {
        lipc_handle ends[] = {a, b};
        for (size_t i = 0; i < COUNT(ends); i++) {
            lipc_peer_policy any = policy_of(LIPC_PEERS_ANY, NULL), none = policy_of(0, NULL);
            lipc_peer_policy same = policy_of(LIPC_PEERS_SAME_USER, NULL);
            CHECK_OK(lipc_peer_check(ends[i], NULL));
            CHECK_OK(lipc_peer_check(ends[i], &any));
            CHECK_OK(lipc_peer_check(ends[i], &same));
            CHECK_ERROR(LIPC_EACCES, lipc_peer_check(ends[i], &none));
            lipc_peer_policy listed = policy_of(0, me()), stranger = policy_of(0, STRANGER);
            CHECK_OK(lipc_peer_check(ends[i], &listed));
            CHECK_ERROR(LIPC_EACCES, lipc_peer_check(ends[i], &stranger));
            /* A server is the owner of its pipe, here the user. A client has the groups of its token, too. */
            lipc_peer_policy admin = policy_of(LIPC_PEERS_ADMIN, NULL);
            bool admitted = strcmp(me(), SYSTEM) == 0 || (lipc_pipe_is_server(ends[i]) == 1 && is_elevated());
            CHECK_ERROR(admitted ? 0 : LIPC_EACCES, lipc_peer_check(ends[i], &admin));
        }
    }
}

TEST(a_handle_that_is_no_connection_has_no_peer_to_check) {
    lipc_peer_policy policy = policy_of(LIPC_PEERS_SAME_USER, NULL);
    lipc_handle event;
    CHECK_OK(lipc_event(&event));
    int code = lipc_error_code(lipc_kind(event));
    CHECK_ERROR(code, lipc_peer_check(event, &policy));
    CHECK_OK(lipc_close(event));
    CHECK_ERROR(LIPC_EBADF, lipc_peer_check(event, &policy));
}

TEST(a_client_whose_handle_may_not_read_the_descriptor_admits_no_server) {
    lipc_handle mute;
    lipc_peer_policy policy = policy_of(LIPC_PEERS_SAME_USER | LIPC_PEERS_ADMIN, me());
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    CHECK(DuplicateHandle(GetCurrentProcess(), (HANDLE)c.client, GetCurrentProcess(), (HANDLE *)&mute,
                          SYNCHRONIZE | FILE_READ_ATTRIBUTES | FILE_READ_DATA, FALSE, 0));
    CHECK_ERROR(LIPC_EACCES, lipc_peer_check(mute, &policy));
    CHECK_OK(lipc_close(mute));
    close_ends(c.client, c.server);
}

/* ------------------------------------------ Servers --------------------------------------------- */

/* Checks whether a policy admits the server of a name; NULL: the default. */
static void check_server(const lipc_name *name, lipc_listener *listener, const lipc_peer_policy *policy, int code) {
    lipc_handle client;
    memset(&client, UNTOUCHED, sizeof client);
    CHECK_ERROR(code, connect_if(name, policy, &client));
    if (code == 0) {
        lipc_handle server = accept_from(listener);
        check_connected(client, server);
        close_ends(client, server);
        return;
    }
    CHECK(is_untouched(&client, sizeof client));
    CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &client)); /* the client is gone, and wrote nothing */
}

TEST(a_client_stays_with_no_server_but_those_that_it_admits) {
    for (int type = LIPC_NAME_PATH; type <= LIPC_NAME_NAMESPACED; type++) {
        lipc_name name = name_for(type, "s");
        lipc_listener *listener = listen_on(&name);
        lipc_peer_policy same = policy_of(LIPC_PEERS_SAME_USER, NULL), other = policy_of(0, STRANGER);
        check_server(&name, listener, &same, 0);
        check_server(&name, listener, NULL, 0);
        check_server(&name, listener, &other, LIPC_EACCES);
        lipc_listener_close(listener);
    }
}

/* A listener on the name whose pipe belongs to the administrators; NULL if this user cannot make one. */
static lipc_listener *listen_as_administrators(const lipc_name *name) {
    lipc_listen_windows windows = {.size = sizeof windows, .sddl = "O:BAD:P(A;;GA;;;WD)"};
    lipc_listen_options options = {.size = sizeof options, .windows = &windows};
    lipc_listener *listener;
    int r = lipc_listen(name, &options, &listener);
    if (r >= 0)
        return listener;
    CHECK_ERROR(LIPC_EACCES, r);
    CHECK(!is_elevated());
    return NULL;
}

TEST(a_server_whose_pipe_belongs_to_the_administrators_is_one_and_not_the_user) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_as_administrators(&name);
    lipc_peer_policy same = policy_of(LIPC_PEERS_SAME_USER, NULL), admin = policy_of(LIPC_PEERS_ADMIN, NULL);
    lipc_peer_policy listed = policy_of(0, ADMINISTRATORS);
    if (listener == NULL)
        return;
    check_server(&name, listener, &admin, 0);
    check_server(&name, listener, &same, LIPC_EACCES);
    check_server(&name, listener, &listed, 0);
    lipc_listener_close(listener);
}

static lipc_name name_of_type(const char *type) {
    char text[64];
    lipc_name name;
    snprintf(text, sizeof text, "%slipc-test.%lu", type, GetCurrentProcessId());
    CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &name));
    return name;
}

TEST(a_client_of_a_users_name_stays_with_that_user_unless_it_says_otherwise) {
    lipc_name name = name_of_type("user:");
    lipc_peer_policy any = policy_of(LIPC_PEERS_ANY, NULL), other = policy_of(0, STRANGER);
    lipc_listener *listener = listen_on(&name);
    check_server(&name, listener, NULL, 0);
    check_server(&name, listener, &any, 0);
    check_server(&name, listener, &other, LIPC_EACCES);
    lipc_listener_close(listener);
    listener = listen_as_administrators(&name); /* the pipe of somebody else, who took the name first */
    if (listener == NULL)
        return;
    check_server(&name, listener, NULL, LIPC_EACCES);
    check_server(&name, listener, &any, 0);
    lipc_listener_close(listener);
}

TEST(a_client_of_the_systems_name_stays_with_administrators_unless_it_says_otherwise) {
    lipc_name name = name_of_type("system:"), plain = name_of_type("@ProtectedPrefix\\Administrators\\");
    lipc_peer_policy any = policy_of(LIPC_PEERS_ANY, NULL), same = policy_of(LIPC_PEERS_SAME_USER, NULL);
    lipc_listener *listener;
    int r = lipc_listen(&name, NULL, &listener);
    if (r < 0) {
        CHECK_ERROR(LIPC_EACCES, r);
        CHECK(!is_elevated());
        return;
    }
    check_server(&name, listener, NULL, 0);
    check_server(&plain, listener, NULL, 0);
    check_server(&name, listener, &same, LIPC_EACCES);
    lipc_listener_close(listener);
    listener = listen_on(&plain); /* the pipe belongs to the user */
    check_server(&name, listener, NULL, strcmp(me(), SYSTEM) == 0 ? 0 : LIPC_EACCES);
    check_server(&name, listener, &any, 0);
    lipc_listener_close(listener);
}

TEST(a_server_that_is_not_admitted_is_refused_before_its_kind_is_looked_at) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_peer_policy other = policy_of(0, STRANGER);
    lipc_connect_options options = {.size = sizeof options, .kind = LIPC_MESSAGE, .server = &other};
    lipc_listener *listener = listen_on(&name);
    lipc_handle client;
    CHECK_ERROR(LIPC_EACCES, lipc_connect(&name, &options, WAIT, &client));
    lipc_listener_close(listener);
}

/* ------------------------------------------ Clients --------------------------------------------- */

TEST(a_listener_admits_the_clients_of_its_policy) {
    static const int kinds[] = {LIPC_STREAM, LIPC_MESSAGE};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const lipc_peer_policy rows[] = {policy_of(LIPC_PEERS_ANY, NULL), policy_of(LIPC_PEERS_SAME_USER, NULL),
                                         policy_of(0, me())};
        for (size_t at = 0; at < COUNT(rows); at++) {
            lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
            lipc_listen_options options = {.size = sizeof options, .kind = kinds[i], .clients = &rows[at]};
            lipc_listener *listener;
            CHECK_OK(lipc_listen(&name, &options, &listener));
            lipc_handle client = connect_as(&name, kinds[i], NULL), server = accept_from(listener);
            check_connected(client, server);
            close_ends(client, server);
            lipc_listener_close(listener);
        }
    }
}

TEST(a_client_that_is_refused_reads_the_end_of_the_stream_and_never_a_byte) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_peer_policy nobody = policy_of(0, NULL);
    lipc_listener *listener = listen_to(&name, &nobody);
    char data[16];
    for (int i = 0; i < 20; i++) {
        lipc_handle client = connect_to(&name), server;
        CHECK_INT(5, lipc_write(client, "hello", 5, WAIT)); /* is not read either */
        memset(&server, UNTOUCHED, sizeof server);
        CHECK_ERROR(LIPC_EACCES, lipc_accept(listener, 0, NULL, &server));
        CHECK(is_untouched(&server, sizeof server));
        CHECK_INT(0, lipc_read(client, data, sizeof data, WAIT));
        CHECK_ERROR(LIPC_EPIPE, lipc_write(client, "hello", 5, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &server));
        CHECK_OK(lipc_close(client));
    }
    lipc_listener_close(listener);
}

static DWORD WINAPI read_the_end(void *argument) {
    char byte;
    return lipc_read(*(lipc_handle *)argument, &byte, 1, WAIT) == 0 ? 0 : 1;
}

TEST(a_client_that_waits_to_read_is_refused_too) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_peer_policy nobody = policy_of(0, NULL);
    lipc_listener *listener = listen_to(&name, &nobody);
    lipc_handle client = connect_to(&name), server;
    DWORD code;
    thread reader = start_thread(read_the_end, &client);
    CHECK_ERROR(LIPC_EACCES, lipc_accept(listener, 0, NULL, &server));
    CHECK(WaitForSingleObject(reader, WAIT) == WAIT_OBJECT_0 && GetExitCodeThread(reader, &code));
    CHECK_INT(0, code);
    join_thread(reader);
    CHECK_OK(lipc_close(client));
    lipc_listener_close(listener);
}

TEST(accepting_goes_on_after_a_refusal_until_the_time_is_up) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_peer_policy nobody = policy_of(0, NULL);
    lipc_listener *listener = listen_to(&name, &nobody);
    lipc_handle clients[3], server;
    char byte;
    for (int i = 0; i < 3; i++)
        clients[i] = connect_to(&name);
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_accept(listener, 50, NULL, &server));
    for (int i = 0; i < 3; i++)
        CHECK_INT(0, lipc_read(clients[i], &byte, 1, WAIT));
    close_all(clients, 3);
    lipc_listener_close(listener);
}

TEST(a_client_that_is_refused_keeps_no_instance) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_peer_policy nobody = policy_of(0, NULL);
    lipc_listen_windows windows = {.size = sizeof windows, .instances = 2};
    lipc_listen_options options = {.size = sizeof options, .clients = &nobody, .windows = &windows};
    lipc_handle clients[10], server;
    lipc_listener *listener;
    CHECK_OK(lipc_listen(&name, &options, &listener));
    for (int i = 0; i < 10; i++) {
        clients[i] = connect_to(&name);
        CHECK_ERROR(LIPC_EACCES, lipc_accept(listener, 0, NULL, &server));
    }
    close_all(clients, 10);
    lipc_listener_close(listener);
}

TEST(a_listener_keeps_a_copy_of_its_policy) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    char text[2][LIPC_SID_CAPACITY] = {STRANGER};
    const char *sids[] = {text[0], text[1]};
    lipc_peer_policy policy = {.size = sizeof policy, .sid_count = 2, .sids = sids};
    snprintf(text[1], sizeof text[1], "%s", me());
    lipc_listener *listener = listen_to(&name, &policy);
    memset(text, 'x', sizeof text);
    memset(sids, 0, sizeof sids);
    memset(&policy, UNTOUCHED, sizeof policy);
    lipc_handle client = connect_to(&name), server = accept_from(listener);
    check_connected(client, server);
    close_ends(client, server);
    lipc_listener_close(listener);
}

/* ------------------------------------ Other users' tokens --------------------------------------- */

/* Has this thread act as the process's user without the group of administrators. */
static void act_without_administrators(void) {
    SID_AND_ATTRIBUTES disabled = {.Attributes = 0};
    HANDLE own, narrow, acting;
    CHECK(ConvertStringSidToSidA(ADMINISTRATORS, &disabled.Sid));
    CHECK(OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &own));
    CHECK(CreateRestrictedToken(own, 0, 1, &disabled, 0, NULL, 0, NULL, &narrow));
    CHECK(DuplicateTokenEx(narrow, TOKEN_ALL_ACCESS, NULL, SecurityImpersonation, TokenImpersonation, &acting));
    CHECK(SetThreadToken(NULL, acting));
    CHECK(CloseHandle(own) && CloseHandle(narrow) && CloseHandle(acting));
    LocalFree(disabled.Sid);
}

TEST(an_administrator_who_is_not_elevated_is_the_same_user_and_no_administrator) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_peer_policy same = policy_of(LIPC_PEERS_SAME_USER, NULL), admin = policy_of(LIPC_PEERS_ADMIN, NULL);
    lipc_listener *listener = listen_on(&name);
    act_without_administrators();
    lipc_handle client = connect_to(&name);
    CHECK(RevertToSelf());
    lipc_handle server = accept_from(listener);
    CHECK_OK(lipc_peer_check(server, &same));
    if (!on_wine()) /* Wine 8 takes the token of the server's own process for the client's */
        CHECK_ERROR(LIPC_EACCES, lipc_peer_check(server, &admin));
    close_ends(client, server);
    lipc_listener_close(listener);
}
