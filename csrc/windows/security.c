/* Security: who may open a pipe, and the user of a process. */

/* The access of users other than the owner: all that reading and writing take. Not FILE_APPEND_DATA, which for a pipe
 * is FILE_CREATE_PIPE_INSTANCE: the right to make further instances of it, and so to pose as the server. */
#define LIPC__OTHERS_ACCESS "0x12019b"

static int lipc__sid_text(PSID sid, char *ret_sid, size_t size) {
    char *text;
    if (!SYS_TRUE(ConvertSidToStringSidA(sid, &text)))
        return lipc__error_from(GetLastError());
    size_t length = strlen(text);
    if (length < size)
        memcpy(ret_sid, text, length + 1);
    LocalFree(text);
    return length < size ? (int)length : lipc__fault(LIPC_EMSGSIZE);
}

/* The user of a token, as text. */
static int lipc__token_sid(HANDLE token, char *ret_sid, size_t size) {
    union {
        TOKEN_USER user;
        char room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } information;
    DWORD got;
    if (!SYS_TRUE(GetTokenInformation(token, TokenUser, &information, sizeof information, &got)))
        return lipc__error_from(GetLastError());
    return lipc__sid_text(information.user.User.Sid, ret_sid, size);
}

/* The owner of the object of a handle that has READ_CONTROL, as text. */
static int lipc__owner_sid(HANDLE handle, char *ret_sid, size_t size) {
    union {
        SECURITY_DESCRIPTOR_RELATIVE descriptor;
        char room[sizeof(SECURITY_DESCRIPTOR_RELATIVE) + SECURITY_MAX_SID_SIZE];
    } information;
    DWORD got;
    BOOL defaulted;
    PSID owner = NULL;
    if (!SYS_TRUE(GetKernelObjectSecurity(handle, OWNER_SECURITY_INFORMATION, &information, sizeof information,
                                          &got)) ||
        !SYS_TRUE(GetSecurityDescriptorOwner(&information, &owner, &defaulted)))
        return lipc__error_from(GetLastError());
    return owner == NULL ? lipc__fault(LIPC_EACCES) : lipc__sid_text(owner, ret_sid, size);
}

static int lipc__process_sid(HANDLE process, char *ret_sid, size_t size) {
    HANDLE token;
    if (!SYS_TRUE(OpenProcessToken(process, TOKEN_QUERY, &token)))
        return lipc__error_from(GetLastError());
    int r = lipc__token_sid(token, ret_sid, size);
    CloseHandle(token);
    return r;
}

/* Whether this thread acts as the process itself. Only then can it make the process's user the owner of something. */
static bool lipc__acts_as_itself(void) {
    HANDLE token;
    if (!OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token))
        return GetLastError() == ERROR_NO_TOKEN;
    CloseHandle(token);
    return false;
}

/* Who may open a pipe besides SYSTEM and the administrators. */
typedef struct lipc__audience {
    const char *sddl;    /* the security descriptor; NULL: one that is made from what follows */
    bool administrators; /* the pipe belongs to the administrators, not to the user */
    bool others;         /* all users who have logged in may open it */
    const char *group;   /* a SID whose users may open it; NULL: none */
} lipc__audience;

/* Adds to a descriptor in SDDL that a user or a group has that access. */
static void lipc__allow(char *text, size_t size, const char *access, const char *sid) {
    size_t at = strlen(text);
    (void)snprintf(text + at, size - at, "(A;;%s;;;%s)", access, sid);
}

/* The result for a text of the caller's that the system did not take. */
static int lipc__text_error(DWORD error) {
    return lipc__error(error == ERROR_NOT_ENOUGH_MEMORY ? LIPC_ENOMEM : LIPC_EINVAL, (int)error);
}

/* Checks a SID of the caller's. It has to be in the form that the system writes, so it cannot pass for more of a
 * descriptor. */
static int lipc__check_sid(const char *text) {
    char written[LIPC_SID_CAPACITY];
    PSID sid;
    if (!SYS_TRUE(ConvertStringSidToSidA(text, &sid)))
        return lipc__text_error(GetLastError());
    int r = lipc__sid_text(sid, written, sizeof written);
    LocalFree(sid);
    if (r < 0)
        return r;
    return strcmp(text, written) == 0 ? 0 : lipc__fault(LIPC_EINVAL);
}

/* Writes the descriptor of an audience in SDDL. It names the owner, since the owner of what an administrator makes may
 * otherwise be the group of administrators. The user has no access to the administrators' pipe as such: programs of an
 * administrator that are not elevated could make instances of it, and so pose as the server. */
static int lipc__audience_text(const lipc__audience *who, char *ret_text, size_t size) {
    char user[LIPC_SID_CAPACITY];
    int r = lipc__process_sid(GetCurrentProcess(), user, sizeof user);
    if (r >= 0 && who->group != NULL)
        r = lipc__check_sid(who->group);
    if (r < 0)
        return r;
    if (who->administrators)
        (void)snprintf(ret_text, size, "O:BAD:P");
    else if (lipc__acts_as_itself())
        (void)snprintf(ret_text, size, "O:%sD:P", user);
    else
        (void)snprintf(ret_text, size, "D:P");
    if (!who->administrators)
        lipc__allow(ret_text, size, "GA", user);
    lipc__allow(ret_text, size, "GA", "SY");
    lipc__allow(ret_text, size, "GA", "BA");
    if (who->others)
        lipc__allow(ret_text, size, LIPC__OTHERS_ACCESS, "AU");
    if (who->group != NULL)
        lipc__allow(ret_text, size, LIPC__OTHERS_ACCESS, who->group);
    return 0;
}

/* Makes the security descriptor of an audience. LocalFree() frees the result. */
static int lipc__descriptor_of(const lipc__audience *who, PSECURITY_DESCRIPTOR *ret_descriptor) {
    char text[3 * LIPC_SID_CAPACITY + 128];
    const char *sddl = who->sddl;
    if (sddl == NULL) {
        int r = lipc__audience_text(who, text, sizeof text);
        if (r < 0)
            return r;
        sddl = text;
    }
    if (!SYS_TRUE(ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl, SDDL_REVISION_1, ret_descriptor, NULL)))
        return lipc__text_error(GetLastError());
    return 0;
}
