/* Who the peer is, and acting in its name. */
#include "fixture.h"

TEST(the_sid_of_the_peer_is_reported) {
    static const int levels[] = {LIPC_IMPERSONATION_DEFAULT, LIPC_IMPERSONATION_ANONYMOUS, LIPC_IMPERSONATION_IDENTIFY,
                                 LIPC_IMPERSONATION_IMPERSONATE, LIPC_IMPERSONATION_DELEGATE};
    for (size_t i = 0; i < COUNT(levels); i++) {
        lipc_connect_windows connecting = {.size = sizeof connecting, .impersonation = levels[i]};
        connection c = connection_of(LIPC_STREAM, NULL, &connecting);
        char sid[LIPC_SID_CAPACITY];
        const char *me = user_of(GetCurrentProcess());
        check_connected(c.client, c.server); /* on Windows a server learns it once it has read something */
        CHECK_INT((int)strlen(me), lipc_peer_sid(c.client, sid, sizeof sid));
        CHECK_STRING(me, sid);
        int r = lipc_peer_sid(c.server, sid, sizeof sid);
        CHECK_OK(r);
        CHECK(strncmp(sid, "S-1-", 4) == 0 && (int)strlen(sid) == r);
        if (levels[i] != LIPC_IMPERSONATION_ANONYMOUS)
            CHECK_STRING(me, sid);
        for (int size = 0; size <= (int)strlen(me); size += (int)strlen(me)) {
            memset(sid, UNTOUCHED, sizeof sid);
            CHECK_ERROR(LIPC_EMSGSIZE, lipc_peer_sid(c.client, sid, (size_t)size));
            CHECK_ERROR(LIPC_EMSGSIZE, lipc_peer_sid(c.server, sid, (size_t)size));
            CHECK(is_untouched(sid, sizeof sid));
        }
        HANDLE token;
        CHECK(!OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token)); /* no client is impersonated any more */
        close_ends(c.client, c.server);
    }
}

TEST(the_sid_of_the_peer_is_reported_before_anything_was_read) {
    connection c = connection_of(LIPC_MESSAGE, NULL, NULL);
    char sid[LIPC_SID_CAPACITY];
    CHECK_OK(lipc_peer_sid(c.server, sid, sizeof sid));
    CHECK_STRING(user_of(GetCurrentProcess()), sid);
    close_ends(c.client, c.server);
}

TEST(a_server_acts_as_its_client_until_it_reverts) {
    lipc_connect_windows connecting = {.size = sizeof connecting, .impersonation = LIPC_IMPERSONATION_IMPERSONATE};
    connection c = connection_of(LIPC_STREAM, NULL, &connecting);
    SECURITY_IMPERSONATION_LEVEL level;
    HANDLE token;
    DWORD size;
    check_connected(c.client, c.server);
    CHECK(!OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token));
    CHECK_OK(lipc_impersonate(c.server));
    CHECK(OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token));
    CHECK(GetTokenInformation(token, TokenImpersonationLevel, &level, sizeof level, &size));
    CHECK(level >= SecurityImpersonation);
    CHECK(CloseHandle(token));
    CHECK_OK(lipc_revert());
    CHECK(!OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token));
    CHECK_ERROR(LIPC_ENOTSOCK, lipc_impersonate(c.client));
    close_ends(c.client, c.server);
    CHECK_ERROR(LIPC_EBADF, lipc_impersonate(c.server));
}

TEST(a_client_lets_its_server_identify_it_and_no_more_by_default) {
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    SECURITY_IMPERSONATION_LEVEL level;
    HANDLE token;
    DWORD size;
    check_connected(c.client, c.server);
    CHECK_OK(lipc_impersonate(c.server));
    CHECK(OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token));
    CHECK(GetTokenInformation(token, TokenImpersonationLevel, &level, sizeof level, &size));
    if (!on_wine()) /* Wine 8 gives every server SecurityImpersonation */
        CHECK_INT(SecurityIdentification, level);
    CHECK(CloseHandle(token));
    CHECK_OK(lipc_revert());
    close_ends(c.client, c.server);
}

CHILD(connect_and_tell) {
    lipc_name name = name_argument(0);
    lipc_handle h = connect_to(&name);
    lipc_pipe_ids ids;
    lipc_credentials peer;
    char text[64];
    CHECK_OK(lipc_pipe_ids_get(h, &ids));
    CHECK_OK(lipc_peer_credentials(h, &peer));
    CHECK_INT(GetCurrentProcessId(), ids.client_process);
    CHECK_INT(ids.server_process, peer.pid);
    snprintf(text, sizeof text, "%u", (unsigned)ids.server_process);
    say(text);
    listen_to_test();
}

TEST(both_sides_learn_the_process_of_the_other) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    child c = start("connect_and_tell %s", written(&name));
    lipc_handle server = accept_from(listener);
    lipc_pipe_ids ids;
    lipc_credentials peer;
    DWORD session;
    CHECK_INT((int)GetCurrentProcessId(), atoi(hear(&c)));
    CHECK_OK(lipc_pipe_ids_get(server, &ids));
    CHECK_INT(c.id, ids.client_process);
    CHECK_INT(GetCurrentProcessId(), ids.server_process);
    CHECK(ProcessIdToSessionId(GetCurrentProcessId(), &session));
    CHECK_INT(session, ids.server_session);
    CHECK_INT(session, ids.client_session);
    memset(&peer, UNTOUCHED, sizeof peer);
    CHECK_OK(lipc_peer_credentials(server, &peer));
    CHECK_INT(c.id, peer.pid);
    CHECK_INT(-1, peer.uid);
    CHECK_INT(-1, peer.gid);
    for (int i = 0; i < 5; i++)
        CHECK_INT(-1, peer.reserved[i]);
    CHECK_OK(lipc_close(server));
    lipc_listener_close(listener);
    join(&c);
}

TEST(a_pair_is_its_own_process) {
    lipc_handle a, b;
    lipc_credentials peer;
    char sid[LIPC_SID_CAPACITY];
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    CHECK_OK(lipc_peer_credentials(a, &peer));
    CHECK_INT(GetCurrentProcessId(), peer.pid);
    CHECK_OK(lipc_peer_credentials(b, &peer));
    CHECK_INT(GetCurrentProcessId(), peer.pid);
    CHECK_OK(lipc_peer_sid(a, sid, sizeof sid));
    CHECK_STRING(user_of(GetCurrentProcess()), sid);
    close_ends(a, b);
}

TEST(a_handle_that_is_no_pipe_has_no_peer) {
    lipc_handle closed;
    lipc_pipe_ids ids;
    lipc_credentials peer;
    char sid[LIPC_SID_CAPACITY];
    CHECK_OK(lipc_event(&closed));
    CHECK_OK(lipc_close(closed));
    CHECK_ERROR(LIPC_EBADF, lipc_pipe_ids_get(closed, &ids));
    CHECK_ERROR(LIPC_EBADF, lipc_peer_credentials(closed, &peer));
    CHECK_ERROR(LIPC_EBADF, lipc_peer_sid(closed, sid, sizeof sid));
    CHECK_ERROR(LIPC_EBADF, lipc_peer_groups(closed, 0, NULL));
}

TEST(an_end_knows_whether_it_is_the_servers) {
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    lipc_handle event, reader, writer;
    CHECK_INT(1, lipc_pipe_is_server(c.server));
    CHECK_INT(0, lipc_pipe_is_server(c.client));
    close_ends(c.client, c.server);
    CHECK_ERROR(LIPC_EBADF, lipc_pipe_is_server(c.server));
    CHECK_OK(lipc_pipe(NULL, &reader, &writer));
    CHECK_INT(1, lipc_pipe_is_server(reader) + lipc_pipe_is_server(writer));
    close_ends(reader, writer);
    CHECK_OK(lipc_event(&event));
    CHECK_ERROR(LIPC_EBADF, lipc_pipe_is_server(event));
    CHECK_OK(lipc_close(event));
}

TEST(to_a_client_the_server_is_the_owner_of_the_pipe) {
    char sid[LIPC_SID_CAPACITY];
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "owned");
    lipc_listen_windows windows = {.size = sizeof windows, .sddl = "O:BAD:P(A;;GA;;;WD)"};
    lipc_listen_options options = {.size = sizeof options, .windows = &windows};
    lipc_listener *listener;
    int r = lipc_listen(&name, &options, &listener);
    if (r < 0) { /* only administrators can name themselves owners */
        CHECK_ERROR(LIPC_EACCES, r);
        CHECK_INT(ERROR_INVALID_OWNER, lipc_error_os(r));
    } else {
        lipc_handle client = connect_to(&name), server = accept_from(listener);
        CHECK_INT((int)strlen(ADMINISTRATORS), lipc_peer_sid(client, sid, sizeof sid));
        CHECK_STRING(ADMINISTRATORS, sid);
        close_ends(client, server);
        lipc_listener_close(listener);
    }
    for (int mode = 0; mode < 2; mode++) { /* by default the user, an administrator too */
        connection c = connection_with(mode ? 0666 : 0, NULL);
        CHECK_OK(lipc_peer_sid(c.client, sid, sizeof sid));
        CHECK_STRING(user_of(GetCurrentProcess()), sid);
        close_ends(c.client, c.server);
    }
}

TEST(a_client_whose_handle_may_not_read_the_descriptor_learns_nothing_of_the_server) {
    lipc_handle mute;
    char sid[LIPC_SID_CAPACITY];
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    CHECK(DuplicateHandle(GetCurrentProcess(), (HANDLE)c.client, GetCurrentProcess(), (HANDLE *)&mute,
                          SYNCHRONIZE | FILE_READ_ATTRIBUTES | FILE_READ_DATA, FALSE, 0));
    memset(sid, UNTOUCHED, sizeof sid);
    CHECK_ERROR(LIPC_EACCES, lipc_peer_sid(mute, sid, sizeof sid));
    CHECK(is_untouched(sid, sizeof sid));
    CHECK_OK(lipc_close(mute));
    close_ends(c.client, c.server);
}

TEST(a_client_that_asked_for_nothing_is_known_once_it_was_read_from) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    HANDLE client = foreign_client(&name, FILE_FLAG_OVERLAPPED);
    lipc_handle server = accept_from(listener);
    char sid[LIPC_SID_CAPACITY];
    if (!on_wine()) { /* Wine 8 asks for the process at the other end, at any time */
        CHECK_ERROR(LIPC_EAGAIN, lipc_peer_sid(server, sid, sizeof sid));
        CHECK_ERROR(LIPC_EAGAIN, lipc_impersonate(server));
    }
    check_connected((lipc_handle)client, server);
    CHECK_OK(lipc_peer_sid(server, sid, sizeof sid));
    CHECK_STRING(user_of(GetCurrentProcess()), sid);
    CHECK(CloseHandle(client));
    CHECK_OK(lipc_close(server));
    lipc_listener_close(listener);
}
