/* Who may open a pipe, and who a process is. */

/* What a user other than the owner gets: all that reading and writing take, but not FILE_APPEND_DATA, which for a pipe
 * means to make further instances of it (FILE_CREATE_PIPE_INSTANCE), and so to pose as the server. */
#define LIPC__OTHERS_ACCESS "0x12019b"

/* The user of a token, as text. */
static int lipc__token_sid(HANDLE token, char *ret_sid, size_t size) {
    union {
        TOKEN_USER user;
        char room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } information;
    DWORD got;
    char *text;
    if (!SYS_TRUE(GetTokenInformation(token, TokenUser, &information, sizeof information, &got)) ||
        !SYS_TRUE(ConvertSidToStringSidA(information.user.User.Sid, &text)))
        return lipc__error_from(GetLastError());
    size_t length = strlen(text);
    if (length < size)
        memcpy(ret_sid, text, length + 1);
    LocalFree(text);
    return length < size ? (int)length : lipc__fault(LIPC_EMSGSIZE);
}

static int lipc__process_sid(HANDLE process, char *ret_sid, size_t size) {
    HANDLE token;
    if (!SYS_TRUE(OpenProcessToken(process, TOKEN_QUERY, &token)))
        return lipc__error_from(GetLastError());
    int r = lipc__token_sid(token, ret_sid, size);
    CloseHandle(token);
    return r;
}

/* The descriptor of a mode: the owner, SYSTEM and the administrators; with other's write bit everybody who has logged
 * in, too. sddl, if not NULL, takes its place. LocalFree() frees it. */
static int lipc__descriptor_of(uint32_t mode, const char *sddl, PSECURITY_DESCRIPTOR *ret_descriptor) {
    char text[LIPC_SID_CAPACITY + 128], sid[LIPC_SID_CAPACITY];
    if (sddl == NULL) {
        int r = lipc__process_sid(GetCurrentProcess(), sid, sizeof sid);
        if (r < 0)
            return r;
        (void)snprintf(text, sizeof text, "D:P(A;;GA;;;%s)(A;;GA;;;SY)(A;;GA;;;BA)%s", sid,
                       mode & 0002 ? "(A;;" LIPC__OTHERS_ACCESS ";;;AU)" : "");
        sddl = text;
    }
    if (SYS_TRUE(ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl, SDDL_REVISION_1, ret_descriptor, NULL)))
        return 0;
    DWORD error = GetLastError();
    return lipc__error(error == ERROR_NOT_ENOUGH_MEMORY ? LIPC_ENOMEM : LIPC_EINVAL, (int)error);
}
