/* Policies where the system does not say who the peer is. Wine always does, so the seam of csrc/sys.h has to. */
#include "fixture.h"

static struct {
    const char *call; /* the call that fails, by the beginning of its text; NULL: none */
    DWORD error;
    int count; /* how often it failed */
} fault;

int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    if (fault.call == NULL || strncmp(call, fault.call, strlen(fault.call)) != 0)
        return 0;
    fault.count++;
    SetLastError(fault.error);
    return 1;
}

static void fail(const char *call, DWORD error) {
    fault.call = call;
    fault.error = error;
    fault.count = 0;
    test_row = call;
}

static void end_fault(void) {
    CHECK(fault.count > 0);
    fault.call = NULL;
}

static const lipc_peer_policy same_user = {.size = sizeof same_user, .peers = LIPC_PEERS_SAME_USER};
static const lipc_peer_policy admin = {.size = sizeof admin, .peers = LIPC_PEERS_ADMIN};
static const lipc_peer_policy any = {.size = sizeof any, .peers = LIPC_PEERS_ANY};

static lipc_listener *listen_to(const lipc_name *name, const lipc_peer_policy *clients) {
    lipc_listen_options options = {.size = sizeof options, .clients = clients};
    lipc_listener *listener;
    CHECK_OK(lipc_listen(name, &options, &listener));
    return listener;
}

/* What a step towards knowing who the client is can fail with. ERROR_CANNOT_IMPERSONATE: the client asked for nothing
 * when it connected, and nothing was read from it yet. */
static const struct {
    const char *call;
    DWORD error;
} unknown_client[] = {
    {"ImpersonateNamedPipeClient", ERROR_CANNOT_IMPERSONATE},
    {"ImpersonateNamedPipeClient", ERROR_NOT_ENOUGH_MEMORY},
    {"OpenThreadToken", ERROR_CANT_OPEN_ANONYMOUS},
    {"GetTokenInformation", ERROR_ACCESS_DENIED},
    {"ConvertSidToStringSid", ERROR_NOT_ENOUGH_MEMORY},
};

TEST(a_client_whose_user_is_not_known_is_refused) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_to(&name, &same_user);
    for (size_t i = 0; i < COUNT(unknown_client); i++) {
        lipc_handle client = connect_to(&name), server;
        char byte;
        CHECK_INT(1, lipc_write(client, "x", 1, WAIT));
        fail(unknown_client[i].call, unknown_client[i].error);
        CHECK_ERROR(LIPC_EACCES, lipc_accept(listener, 0, NULL, &server));
        end_fault();
        CHECK_INT(0, lipc_read(client, &byte, 1, WAIT));
        CHECK_OK(lipc_close(client));
        client = connect_to(&name);
        server = accept_from(listener);
        check_connected(client, server);
        close_ends(client, server);
    }
    lipc_listener_close(listener);
}

TEST(a_client_that_is_not_known_yet_is_refused_and_not_waited_for) {
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    fail("ImpersonateNamedPipeClient", ERROR_CANNOT_IMPERSONATE);
    CHECK_ERROR(LIPC_EACCES, lipc_peer_check(c.server, &same_user));
    CHECK_ERROR(LIPC_EACCES, lipc_peer_check(c.server, &admin));
    end_fault();
    CHECK_OK(lipc_peer_check(c.server, &same_user));
    close_ends(c.client, c.server);
}

TEST(everybody_is_admitted_without_being_asked_for) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    const lipc_peer_policy *policies[] = {NULL, &any};
    for (size_t i = 0; i < COUNT(policies); i++) {
        lipc_connect_options options = {.size = sizeof options, .server = policies[i]};
        lipc_listener *listener = listen_to(&name, policies[i]);
        lipc_handle client;
        fail("ImpersonateNamedPipeClient", ERROR_CANNOT_IMPERSONATE);
        CHECK_OK(lipc_connect(&name, &options, WAIT, &client));
        lipc_handle server = accept_from(listener);
        CHECK_INT(0, fault.count);
        fail("GetKernelObjectSecurity", ERROR_ACCESS_DENIED);
        CHECK_OK(lipc_peer_check(client, policies[i]));
        CHECK_OK(lipc_peer_check(server, policies[i]));
        CHECK_INT(0, fault.count);
        fault.call = NULL;
        close_ends(client, server);
        lipc_listener_close(listener);
    }
}

TEST(nobody_is_the_same_user_while_that_of_the_process_is_not_known) {
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    fail("OpenProcessToken", ERROR_ACCESS_DENIED);
    CHECK_ERROR(LIPC_EACCES, lipc_peer_check(c.client, &same_user));
    CHECK_ERROR(LIPC_EACCES, lipc_peer_check(c.server, &same_user));
    CHECK_ERROR(LIPC_EACCES, lipc_peer_policy_check(&same_user, -1, ""));
    end_fault();
    close_ends(c.client, c.server);
}

TEST(nobody_is_an_administrator_whose_groups_are_not_known) {
    static const char *const steps[] = {"CreateWellKnownSid", "CheckTokenMembership"};
    connection c = connection_of(LIPC_STREAM, NULL, NULL);
    for (size_t i = 0; i < COUNT(steps); i++) {
        fail(steps[i], ERROR_NOT_ENOUGH_MEMORY);
        CHECK_ERROR(LIPC_EACCES, lipc_peer_check(c.server, &admin));
        CHECK_OK(lipc_peer_check(c.server, &same_user));
        end_fault();
    }
    close_ends(c.client, c.server);
}

TEST(a_client_stays_with_no_server_that_is_not_known) {
    static const struct {
        const char *call;
        DWORD error;
        int code;
    } rows[] = {
        {"GetKernelObjectSecurity", ERROR_ACCESS_DENIED, LIPC_EACCES},
        {"GetKernelObjectSecurity", ERROR_NOT_ENOUGH_MEMORY, LIPC_ENOMEM},
        {"GetSecurityDescriptorOwner", ERROR_INVALID_PARAMETER, LIPC_EINVAL},
        {"ConvertSidToStringSid", ERROR_NOT_ENOUGH_MEMORY, LIPC_ENOMEM},
        {"OpenProcessToken", ERROR_ACCESS_DENIED, LIPC_EACCES},
    };
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_connect_options options = {.size = sizeof options, .server = &same_user};
    lipc_listener *listener = listen_on(&name);
    for (size_t i = 0; i < COUNT(rows); i++) {
        lipc_handle client;
        memset(&client, UNTOUCHED, sizeof client);
        fail(rows[i].call, rows[i].error);
        CHECK_ERROR(rows[i].code, lipc_connect(&name, &options, WAIT, &client));
        end_fault();
        CHECK(is_untouched(&client, sizeof client));
        CHECK_ERROR(LIPC_EAGAIN, lipc_accept(listener, 0, NULL, &client)); /* the client is gone */
        CHECK(is_untouched(&client, sizeof client));
    }
    lipc_listener_close(listener);
}

TEST(a_client_that_cannot_be_disconnected_is_refused_all_the_same) {
    static const lipc_peer_policy nobody = {.size = sizeof nobody};
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_to(&name, &nobody);
    lipc_handle client = connect_to(&name), server;
    char byte;
    fail("DisconnectNamedPipe", ERROR_INVALID_FUNCTION);
    CHECK_ERROR(LIPC_EACCES, lipc_accept(listener, 0, NULL, &server));
    end_fault();
    CHECK_INT(0, lipc_read(client, &byte, 1, WAIT));
    CHECK_OK(lipc_close(client));
    lipc_listener_close(listener);
}

TEST(a_name_of_the_user_is_an_error_while_the_user_is_not_known) {
    lipc_name name, other;
    lipc_listener *listener;
    char path[LIPC_NAME_CAPACITY];
    CHECK_OK(lipc_name_user("x", LIPC_STRLEN, &name));
    fail("OpenProcessToken", ERROR_ACCESS_DENIED);
    CHECK_ERROR(LIPC_EACCES, lipc_name_user("x", LIPC_STRLEN, &other));
    CHECK_ERROR(LIPC_EACCES, lipc_name_limit(LIPC_NAME_USER));
    CHECK_ERROR(LIPC_EACCES, lipc_name_location(&name, path, sizeof path));
    CHECK_ERROR(LIPC_EACCES, lipc_listen(&name, NULL, &listener));
    end_fault();
}
