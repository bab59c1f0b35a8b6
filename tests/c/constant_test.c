/* Constants by name. tests/packaging/constants_test.go compares them with the headers. */
#include "fixture.h"

TEST(a_constant_is_found_by_its_name) {
    int64_t value;
    CHECK_INT(0, lipc_constant("LIPC_STREAM", &value));
    CHECK_INT(LIPC_STREAM, value);
    CHECK_INT(0, lipc_constant("LIPC_ETRUNCATED", &value));
    CHECK_INT(LIPC_ETRUNCATED, value);
    CHECK_INT(0, lipc_constant("LIPC_STRLEN", &value));
    CHECK((size_t)value == LIPC_STRLEN);
    CHECK_INT(0, lipc_constant("LIPC_INVALID_HANDLE", &value));
    CHECK_INT(-1, value);
    CHECK_INT(0, lipc_constant("sizeof(lipc_message)", &value));
    CHECK_INT(sizeof(lipc_message), value);
}

TEST(every_name_that_is_listed_is_found_and_there_once) {
    size_t count = 0;
    for (const char *name; (name = lipc_constant_name(count)) != NULL; count++) {
        int64_t value;
        CHECK_INT(0, lipc_constant(name, &value));
        for (size_t i = 0; i < count; i++)
            CHECK(strcmp(lipc_constant_name(i), name) != 0);
    }
    CHECK(count > 60);
    CHECK(lipc_constant_name(count + 1) == NULL);
    CHECK(lipc_constant_name((size_t)-1) == NULL);
}

TEST(a_name_that_does_not_exist_is_an_error) {
    static const char *const absent[] = {"", "LIPC", "LIPC_STREAMS", "lipc_stream", "sizeof(lipc_listener)"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        int64_t value;
        memset(&value, UNTOUCHED, sizeof value);
        CHECK_ERROR(LIPC_ENOENT, lipc_constant(absent[i], &value));
        CHECK(is_untouched(&value, sizeof value));
    }
}
