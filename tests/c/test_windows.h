/* The Windows half of the test harness: processes, and the handles that a test left behind. Included by test.h. */
#ifndef LIPC_TEST_WINDOWS_H
#define LIPC_TEST_WINDOWS_H

#include <aclapi.h>
#include <sddl.h>
#include <winternl.h>

BOOLEAN NTAPI SystemFunction036(PVOID data, ULONG size); /* RtlGenRandom */

#define TEST_OUTPUT GetStdHandle(STD_ERROR_HANDLE)

/* CHILD(name) { ... } is what another process of the same program does. Its arguments are in child_arguments. A test
 * that another test runs, to see it fail, is a CHILD too. */
static test *test_first_child, **test_last_child = &test_first_child;
static char **child_arguments;

static inline void test_add_child(test *t) {
    *test_last_child = t;
    test_last_child = &t->next;
}

#define CHILD(name) \
    static void name(void); \
    __attribute__((constructor)) static void register_##name(void) { \
        static test t = {#name, name, NULL}; \
        test_add_child(&t); \
    } \
    static void name(void)

/* ------------------------------------ What a test left behind ----------------------------------- */

/* A leak takes one of the lowest free values, which are multiples of four. */
enum { TEST_HANDLES = 2048 };

/* The types that the library opens. Handles of other types come and go with the system's own libraries. */
static const wchar_t *const test_types[] = {NULL, L"File", L"Event", L"IoCompletion", L"Process", L"Token", L"Job"};
enum { TEST_EVENT = 2, TEST_TYPES = sizeof test_types / sizeof *test_types };

typedef struct test_open {
    unsigned char type[TEST_HANDLES]; /* in test_types */
} test_open;

/* Tries the values one by one, since GetProcessHandleCount() is always 0 on Wine 8. That also shows which are left. */
static inline void test_handles(test_open *ret_open) {
    memset(ret_open, 0, sizeof *ret_open);
    for (size_t i = 1; i < TEST_HANDLES; i++) {
        HANDLE handle = (HANDLE)(i * 4);
        DWORD flags;
        union {
            UNICODE_STRING name;
            char room[1024];
        } type;
        if (!GetHandleInformation(handle, &flags) ||
            NtQueryObject(handle, ObjectTypeInformation, &type, sizeof type, NULL) < 0)
            continue;
        for (unsigned char t = 1; t < TEST_TYPES; t++)
            if (wcslen(test_types[t]) * sizeof(wchar_t) == type.name.Length &&
                memcmp(test_types[t], type.name.Buffer, type.name.Length) == 0)
                ret_open->type[i] = t;
    }
}

/* The first handle that is not as it was, or 0. The thread pool closes an event of its own when it has not been used
 * for some seconds, so one that is gone says nothing. */
static inline size_t test_other_handle(const test_open *before, test_open *ret_now) {
    test_handles(ret_now);
    for (size_t i = 0; i < TEST_HANDLES; i++)
        if (before->type[i] != ret_now->type[i] && (before->type[i] != TEST_EVENT || ret_now->type[i] != 0))
            return i;
    return 0;
}

static inline void test_same_handles(const test_open *before) {
    test_open now;
    size_t i;
    /* A new one may go away by itself in the same way. */
    for (int tries = 0; (i = test_other_handle(before, &now)) != 0; tries++) {
        if (tries == (now.type[i] == TEST_EVENT ? 32 : 2))
            break;
        Sleep(250);
    }
    if (i != 0 && before->type[i] == 0)
        FAIL("handle 0x%x, a %ls, was left open", (unsigned)i * 4, test_types[now.type[i]]);
    if (i != 0)
        FAIL("handle 0x%x, a %ls, was left closed, or replaced by another", (unsigned)i * 4,
             test_types[before->type[i]]);
}

static inline VOID CALLBACK test_nothing(PVOID unused, BOOLEAN timed_out) {
    (void)unused, (void)timed_out;
}

/* The system's libraries open handles of their own when they are first used, and keep them. */
static inline void test_warm_up(void) {
    HANDLE reader, writer, event, wait, timer, token;
    PSECURITY_DESCRIPTOR descriptor;
    char random[8];
    CHECK(CreatePipe(&reader, &writer, NULL, 0));
    CHECK(GetSecurityInfo(reader, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, NULL, NULL,
                          &descriptor) == ERROR_SUCCESS);
    LocalFree(descriptor);
    CHECK(CloseHandle(reader) && CloseHandle(writer));
    CHECK((event = CreateEventW(NULL, TRUE, FALSE, NULL)) != NULL);
    CHECK(RegisterWaitForSingleObject(&wait, event, test_nothing, NULL, INFINITE, WT_EXECUTEONLYONCE));
    CHECK(UnregisterWaitEx(wait, INVALID_HANDLE_VALUE));
    CHECK(CloseHandle(event));
    CHECK(CreateTimerQueueTimer(&timer, NULL, test_nothing, NULL, 60000, 0, WT_EXECUTEINTIMERTHREAD));
    CHECK(DeleteTimerQueueTimer(NULL, timer, INVALID_HANDLE_VALUE));
    CHECK(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
    CHECK(CloseHandle(token));
    CHECK(ConvertStringSecurityDescriptorToSecurityDescriptorA("D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;AU)",
                                                               SDDL_REVISION_1, &descriptor, NULL));
    LocalFree(descriptor);
    SystemFunction036(random, sizeof random);
}

/* ------------------------------------------ Running --------------------------------------------- */

/* Ends a process that crashed: no dialogue, and no debugger. */
static inline LONG WINAPI test_crashed(EXCEPTION_POINTERS *exception) {
    TerminateProcess(GetCurrentProcess(), exception->ExceptionRecord->ExceptionCode);
    return EXCEPTION_EXECUTE_HANDLER;
}

static DWORD test_creation_flags; /* more flags for the processes that are started: CREATE_NEW_PROCESS_GROUP */

/* Starts this program again, in a job of its own, where its children will be too. Its standard handles are these. */
static inline HANDLE test_start(const char *arguments, HANDLE input, HANDLE output, HANDLE errors,
                                PROCESS_INFORMATION *ret_process) {
    char program[MAX_PATH], line[8192];
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits;
    STARTUPINFOA startup;
    HANDLE self = GetCurrentProcess(), *ends[3];
    memset(&limits, 0, sizeof limits);
    memset(&startup, 0, sizeof startup);
    startup.cb = sizeof startup;
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = input;
    startup.hStdOutput = output;
    startup.hStdError = errors;
    ends[0] = &startup.hStdInput;
    ends[1] = &startup.hStdOutput;
    ends[2] = &startup.hStdError;
    for (int i = 0; i < 3; i++) /* a missing handle is missing for the child too */
        if (!DuplicateHandle(self, *ends[i], self, ends[i], 0, TRUE, DUPLICATE_SAME_ACCESS))
            *ends[i] = NULL;
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    HANDLE job = CreateJobObjectW(NULL, NULL);
    CHECK(job != NULL && SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits));
    CHECK(GetModuleFileNameA(NULL, program, sizeof program) > 0);
    CHECK(snprintf(line, sizeof line, "\"%s\" %s", program, arguments) < (int)sizeof line);
    CHECK(CreateProcessA(program, line, NULL, NULL, TRUE, CREATE_SUSPENDED | test_creation_flags, NULL, NULL,
                         &startup, ret_process));
    CHECK(AssignProcessToJobObject(job, ret_process->hProcess));
    CHECK(ResumeThread(ret_process->hThread) != (DWORD)-1);
    CHECK(CloseHandle(ret_process->hThread));
    for (int i = 0; i < 3; i++)
        CHECK(*ends[i] == NULL || CloseHandle(*ends[i]));
    return job;
}

/* Runs a test; what it prints goes to output. */
static inline enum test_outcome test_run(const test *t, HANDLE output) {
    char arguments[256], text[256] = "";
    PROCESS_INFORMATION process;
    DWORD code;
    snprintf(arguments, sizeof arguments, "--test %s", t->name);
    HANDLE job = test_start(arguments, GetStdHandle(STD_INPUT_HANDLE), GetStdHandle(STD_OUTPUT_HANDLE), output,
                            &process);
    if (WaitForSingleObject(process.hProcess, TEST_SECONDS * 1000) != WAIT_OBJECT_0)
        snprintf(text, sizeof text, "%s: killed after %d seconds\n", t->name, TEST_SECONDS);
    CHECK(TerminateJobObject(job, TEST_FAILED)); /* also what the test started and did not end */
    CHECK(WaitForSingleObject(process.hProcess, INFINITE) == WAIT_OBJECT_0);
    CHECK(GetExitCodeProcess(process.hProcess, &code));
    CHECK(CloseHandle(process.hProcess) && CloseHandle(job));
    if (code != TEST_PASSED && code != TEST_FAILED && code != TEST_LEFT_OUT)
        snprintf(text, sizeof text, "%s: ended with code 0x%lx\n", t->name, code);
    if (*text != '\0')
        WriteFile(output, text, (DWORD)strlen(text), &code, NULL);
    return code == TEST_PASSED || code == TEST_LEFT_OUT ? (enum test_outcome)code : TEST_FAILED;
}

static inline const test *test_find(const test *t, const char *name) {
    while (t != NULL && strcmp(t->name, name) != 0)
        t = t->next;
    return t;
}

/* "--test NAME" runs one test, or a CHILD as a test; "--child NAME ARGUMENT…" runs a CHILD. */
static inline void test_be_what_was_asked(int argc, char **argv) {
    if (argc < 3 || strncmp(argv[1], "--", 2) != 0)
        return;
    const test *t = strcmp(argv[1], "--test") == 0 ? test_find(test_first, argv[2]) : NULL;
    if (t == NULL)
        t = test_find(test_first_child, argv[2]);
    if (t == NULL)
        FAIL("no test and no child: %s", argv[2]);
    SetUnhandledExceptionFilter(test_crashed);
    child_arguments = argv + 3;
    if (strcmp(argv[1], "--child") == 0) {
        t->body();
        exit(TEST_PASSED);
    }
    test_open before;
    test_warm_up();
    test_handles(&before);
    t->body();
    test_same_handles(&before);
    exit(TEST_PASSED);
}

#endif
