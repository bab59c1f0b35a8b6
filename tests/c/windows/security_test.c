/* Who may connect. Wine keeps security descriptors but does not enforce them, so they are read back here. */
#include "fixture.h"

/* The access that the access list of a pipe allows a SID; 0: none. */
static DWORD allowed(lipc_handle handle, const char *sid_text) {
    PSECURITY_DESCRIPTOR descriptor;
    PACL list = NULL;
    PSID sid;
    DWORD access = 0;
    GENERIC_MAPPING mapping = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS};
    CHECK(GetSecurityInfo((HANDLE)handle, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &list, NULL,
                          &descriptor) == ERROR_SUCCESS);
    CHECK(list != NULL); /* without a list everybody has access */
    CHECK(ConvertStringSidToSidA(sid_text, &sid));
    for (DWORD i = 0; i < list->AceCount; i++) {
        ACCESS_ALLOWED_ACE *entry;
        CHECK(GetAce(list, i, (void **)&entry));
        CHECK(entry->Header.AceType == ACCESS_ALLOWED_ACE_TYPE);
        if (EqualSid((PSID)&entry->SidStart, sid))
            access |= entry->Mask;
    }
    LocalFree(sid);
    LocalFree(descriptor);
    MapGenericMask(&access, &mapping); /* Wine keeps generic rights as they were written */
    return access;
}

static int entries_of(lipc_handle handle) {
    PSECURITY_DESCRIPTOR descriptor;
    PACL list = NULL;
    CHECK(GetSecurityInfo((HANDLE)handle, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &list, NULL,
                          &descriptor) == ERROR_SUCCESS);
    CHECK(list != NULL);
    int count = list->AceCount;
    LocalFree(descriptor);
    return count;
}

#define SYSTEM "S-1-5-18"
#define AUTHENTICATED "S-1-5-11"
#define EVERYONE "S-1-1-0"
#define USERS "S-1-5-32-545"

enum { READS_AND_WRITES = FILE_READ_DATA | FILE_WRITE_DATA };

TEST(a_listener_is_its_owners_alone_by_default) {
    static const uint32_t modes[] = {0, 0600, 0660, 0644, 0777 & ~0002};
    for (size_t i = 0; i < COUNT(modes); i++) {
        connection c = connection_with(modes[i], NULL);
        CHECK((allowed(c.server, user_of(GetCurrentProcess())) & READS_AND_WRITES) == READS_AND_WRITES);
        CHECK((allowed(c.server, SYSTEM) & READS_AND_WRITES) == READS_AND_WRITES);
        CHECK((allowed(c.server, ADMINISTRATORS) & READS_AND_WRITES) == READS_AND_WRITES);
        CHECK_INT(0, allowed(c.server, AUTHENTICATED));
        CHECK_INT(0, allowed(c.server, EVERYONE));
        CHECK(entries_of(c.server) == 3);
        close_ends(c.client, c.server);
    }
}

TEST(the_write_bit_for_others_lets_authenticated_users_in_who_cannot_pose_as_the_server) {
    connection c = connection_with(0666, NULL);
    DWORD others = allowed(c.server, AUTHENTICATED);
    CHECK((others & READS_AND_WRITES) == READS_AND_WRITES);
    CHECK_INT(0, others & (FILE_CREATE_PIPE_INSTANCE | WRITE_DAC | WRITE_OWNER | DELETE));
    CHECK_INT(0, allowed(c.server, EVERYONE));
    close_ends(c.client, c.server);
}

TEST(a_descriptor_in_sddl_takes_the_place_of_the_mode) {
    connection c = connection_with(0666, "D:P(A;;GRGW;;;WD)");
    CHECK((allowed(c.server, EVERYONE) & READS_AND_WRITES) == READS_AND_WRITES);
    CHECK_INT(0, allowed(c.server, AUTHENTICATED));
    CHECK_INT(1, entries_of(c.server));
    close_ends(c.client, c.server);
}

TEST(a_group_is_let_in_besides_and_cannot_pose_as_the_server) {
    static const uint32_t modes[] = {0, 0660, 0666};
    for (size_t i = 0; i < COUNT(modes); i++) {
        lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
        lipc_listen_windows windows = {.size = sizeof windows, .group_sid = USERS};
        lipc_listen_options options = {.size = sizeof options, .mode = modes[i], .windows = &windows};
        lipc_listener *listener;
        CHECK_OK(lipc_listen(&name, &options, &listener));
        lipc_handle client = connect_to(&name), server = accept_from(listener);
        bool others = modes[i] & 0002;
        CHECK((allowed(server, USERS) & READS_AND_WRITES) == READS_AND_WRITES);
        CHECK_INT(0, allowed(server, USERS) & (FILE_CREATE_PIPE_INSTANCE | WRITE_DAC | WRITE_OWNER | DELETE));
        CHECK((allowed(server, user_of(GetCurrentProcess())) & READS_AND_WRITES) == READS_AND_WRITES);
        CHECK((allowed(server, AUTHENTICATED) != 0) == others);
        CHECK_INT(0, allowed(server, EVERYONE));
        CHECK_INT(others ? 5 : 4, entries_of(server));
        close_ends(client, server);
        lipc_listener_close(listener);
    }
}

TEST(a_pipe_of_the_system_belongs_to_the_administrators_and_not_to_the_user) {
    char text[64], sid[LIPC_SID_CAPACITY];
    lipc_name name;
    lipc_listener *listener;
    snprintf(text, sizeof text, "system:lipc-test.%lu", GetCurrentProcessId());
    CHECK_OK(lipc_name_parse(text, LIPC_STRLEN, &name));
    int r = lipc_listen(&name, NULL, &listener);
    if (r < 0) {
        CHECK_ERROR(LIPC_EACCES, r);
        return;
    }
    lipc_handle client = connect_to(&name), server = accept_from(listener);
    CHECK_OK(lipc_peer_sid(client, sid, sizeof sid));
    CHECK_STRING(ADMINISTRATORS, sid);
    CHECK((allowed(server, SYSTEM) & READS_AND_WRITES) == READS_AND_WRITES);
    CHECK((allowed(server, ADMINISTRATORS) & READS_AND_WRITES) == READS_AND_WRITES);
    CHECK_INT(2, entries_of(server));
    close_ends(client, server);
    lipc_listener_close(listener);
}

TEST(every_instance_has_the_descriptor) {
    lipc_name name = name_for(LIPC_NAME_NAMESPACED, "s");
    lipc_listener *listener = listen_on(&name);
    for (int i = 0; i < 20; i++) {
        lipc_handle client = connect_to(&name), server = accept_from(listener);
        CHECK_INT(3, entries_of(server));
        close_ends(client, server);
    }
    lipc_listener_close(listener);
}

TEST(pairs_and_pipes_are_their_users_alone) {
    lipc_handle ends[6];
    lipc_pipe_options options = {.size = sizeof options, .sddl = "D:P(A;;GRGW;;;WD)"};
    CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
    CHECK_OK(lipc_pipe(NULL, &ends[2], &ends[3]));
    CHECK_OK(lipc_pipe(&options, &ends[4], &ends[5]));
    for (int i = 0; i < 4; i++) {
        CHECK((allowed(ends[i], user_of(GetCurrentProcess())) & READS_AND_WRITES) == READS_AND_WRITES);
        CHECK_INT(0, allowed(ends[i], EVERYONE));
        CHECK_INT(0, allowed(ends[i], AUTHENTICATED));
    }
    CHECK((allowed(ends[4], EVERYONE) & READS_AND_WRITES) == READS_AND_WRITES);
    close_all(ends, 6);
}

TEST(only_the_own_machine_is_let_in_unless_it_was_asked_for) {
    /* No test can connect from another machine, and no call tells what the system was asked to do. What can be seen is
     * that asking for it does not fail, and that clients of this machine come in either way. */
    for (int remote = 0; remote < 2; remote++) {
        lipc_listen_windows listening = {.size = sizeof listening, .accept_remote = remote, .write_through = remote};
        lipc_connect_windows connecting = {.size = sizeof connecting, .write_through = remote};
        connection c = connection_of(LIPC_STREAM, &listening, &connecting);
        check_connected(c.client, c.server);
        close_ends(c.client, c.server);
    }
}
