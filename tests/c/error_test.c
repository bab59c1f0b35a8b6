/* Results: how errors are packed, and their frozen numbers, names and texts. */
#include "fixture.h"

TEST(the_version_linked_is_that_of_the_header) {
    CHECK_INT(LIPC_VERSION, lipc_version());
    CHECK_INT(LIPC_VERSION_MAJOR * 10000 + LIPC_VERSION_MINOR * 100 + LIPC_VERSION_PATCH, lipc_version());
}

/* They are written out once more, since programs and bindings rely on them. */
static const struct {
    int code, number;
    const char *name;
} frozen[] = {
    {LIPC_EAGAIN, 1, "LIPC_EAGAIN"},
    {LIPC_ETIMEDOUT, 2, "LIPC_ETIMEDOUT"},
    {LIPC_EINVAL, 3, "LIPC_EINVAL"},
    {LIPC_ENAME, 4, "LIPC_ENAME"},
    {LIPC_ENAMETOOLONG, 5, "LIPC_ENAMETOOLONG"},
    {LIPC_ENOENT, 6, "LIPC_ENOENT"},
    {LIPC_EACCES, 7, "LIPC_EACCES"},
    {LIPC_EADDRINUSE, 8, "LIPC_EADDRINUSE"},
    {LIPC_ECONNREFUSED, 9, "LIPC_ECONNREFUSED"},
    {LIPC_EPIPE, 10, "LIPC_EPIPE"},
    {LIPC_ENOTSUP, 11, "LIPC_ENOTSUP"},
    {LIPC_EMFILE, 12, "LIPC_EMFILE"},
    {LIPC_ENOMEM, 13, "LIPC_ENOMEM"},
    {LIPC_EBADF, 14, "LIPC_EBADF"},
    {LIPC_ENOTSOCK, 15, "LIPC_ENOTSOCK"},
    {LIPC_ENOTCONN, 16, "LIPC_ENOTCONN"},
    {LIPC_EMSGSIZE, 17, "LIPC_EMSGSIZE"},
    {LIPC_EIO, 18, "LIPC_EIO"},
    {LIPC_EEND, 19, "LIPC_EEND"},
    {LIPC_ETRUNCATED, 20, "LIPC_ETRUNCATED"},
    {LIPC_ETOOMANY, 21, "LIPC_ETOOMANY"},
    {LIPC_EHANDLES, 22, "LIPC_EHANDLES"},
    {LIPC_EEXIST, 23, "LIPC_EEXIST"},
    {LIPC_ENOTFIFO, 24, "LIPC_ENOTFIFO"},
    {LIPC_EPROTO, 25, "LIPC_EPROTO"},
    {LIPC_EOTHER, 255, "LIPC_EOTHER"},
};
enum { FROZEN = sizeof frozen / sizeof *frozen };

TEST(every_error_has_its_frozen_number_and_name) {
#define ONE_MORE(code, number, text) +1
    CHECK_INT(FROZEN, 0 LIPC_ERRORS(ONE_MORE));
#undef ONE_MORE
    CHECK_INT(20, LIPC_ERROR_OS_BITS);
    for (int i = 0; i < FROZEN; i++) {
        test_row = frozen[i].name;
        CHECK_INT(frozen[i].number, frozen[i].code);
        int64_t result = -((int64_t)frozen[i].code << LIPC_ERROR_OS_BITS);
        CHECK_STRING(frozen[i].name, lipc_error_name(result));
    }
}

TEST(every_error_has_a_text_of_its_own_without_a_full_stop) {
    for (int i = 0; i < FROZEN; i++) {
        test_row = frozen[i].name;
        const char *text = lipc_strerror(-((int64_t)frozen[i].code << LIPC_ERROR_OS_BITS));
        CHECK(strlen(text) > 5 && text[strlen(text) - 1] != '.');
        for (int j = 0; j < i; j++)
            CHECK(strcmp(text, lipc_strerror(-((int64_t)frozen[j].code << LIPC_ERROR_OS_BITS))) != 0);
    }
#define SAME_TEXT(code, number, text) CHECK_STRING(text, lipc_strerror(-((int64_t)(code) << LIPC_ERROR_OS_BITS)));
    LIPC_ERRORS(SAME_TEXT)
#undef SAME_TEXT
}

TEST(a_result_comes_apart_into_code_and_system_code) {
    static const int os[] = {0, 1, 42, 1236, (1 << LIPC_ERROR_OS_BITS) - 1};
    for (int i = 0; i < FROZEN; i++)
        for (size_t j = 0; j < sizeof os / sizeof *os; j++) {
            int64_t result = -((int64_t)frozen[i].code << LIPC_ERROR_OS_BITS | os[j]);
            CHECK_INT(result, (int)result); /* it fits an int */
            CHECK_INT(frozen[i].code, lipc_error_code(result));
            CHECK_INT(os[j], lipc_error_os(result));
            CHECK_STRING(frozen[i].name, lipc_error_name(result));
        }
}

TEST(a_count_is_a_success) {
    static const int64_t counts[] = {0, 1, 255, 1 << LIPC_ERROR_OS_BITS, INT32_MAX, INT64_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        CHECK_INT(0, lipc_error_code(counts[i]));
        CHECK_INT(0, lipc_error_os(counts[i]));
        CHECK_STRING("success", lipc_error_name(counts[i]));
        CHECK_STRING("success", lipc_strerror(counts[i]));
    }
}

TEST(a_code_from_a_later_version_still_has_a_name_and_a_text) {
    static const int64_t results[] = {-(INT64_C(200) << LIPC_ERROR_OS_BITS), -1, INT64_MIN};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        CHECK(strlen(lipc_error_name(results[i])) > 0);
        CHECK(strlen(lipc_strerror(results[i])) > 0);
    }
}

TEST(an_error_carries_the_systems_code) {
    lipc_name name;
    lipc_handle handle;
    lipc_name missing = name_for(LIPC_NAME_PATH, "missing");
#ifdef _WIN32
    static const int bad = ERROR_INVALID_HANDLE, absent = ERROR_FILE_NOT_FOUND, no_name = ERROR_INVALID_NAME,
                     invalid = ERROR_INVALID_PARAMETER;
    lipc_handle closed;
    CHECK_OK(lipc_event(&closed));
    CHECK_OK(lipc_close(closed));
#else
    static const int bad = EBADF, absent = ENOENT, no_name = EINVAL, invalid = EINVAL;
    lipc_handle closed = LIPC_INVALID_HANDLE;
#endif
    CHECK_INT(bad, lipc_error_os(lipc_close(closed)));
    CHECK_INT(absent, lipc_error_os(lipc_connect(&missing, NULL, 0, &handle)));
    CHECK_INT(no_name, lipc_error_os(lipc_name_path("", 0, &name))); /* found by the library itself */
    CHECK_INT(invalid, lipc_error_os(lipc_name_limit(99)));
}
