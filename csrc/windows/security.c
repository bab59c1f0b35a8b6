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

/* Makes the security descriptor of a mode. Access is for the owner, SYSTEM and the administrators; with the write bit
 * for others, also for all users who have logged in. It names the owner, since the owner of what an administrator makes
 * may otherwise be the group of administrators. sddl, if not NULL, is used instead. LocalFree() frees the result. */
static int lipc__descriptor_of(uint32_t mode, const char *sddl, PSECURITY_DESCRIPTOR *ret_descriptor) {
    char text[2 * LIPC_SID_CAPACITY + 128], sid[LIPC_SID_CAPACITY];
    if (sddl == NULL) {
        int r = lipc__process_sid(GetCurrentProcess(), sid, sizeof sid);
        if (r < 0)
            return r;
        bool owned = lipc__acts_as_itself();
        (void)snprintf(text, sizeof text, "%s%sD:P(A;;GA;;;%s)(A;;GA;;;SY)(A;;GA;;;BA)%s", owned ? "O:" : "",
                       owned ? sid : "", sid, mode & 0002 ? "(A;;" LIPC__OTHERS_ACCESS ";;;AU)" : "");
        sddl = text;
    }
    if (SYS_TRUE(ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl, SDDL_REVISION_1, ret_descriptor, NULL)))
        return 0;
    DWORD error = GetLastError();
    return lipc__error(error == ERROR_NOT_ENOUGH_MEMORY ? LIPC_ENOMEM : LIPC_EINVAL, (int)error);
}
