/* Names from any text: what is read is written back so that it reads the same, in a buffer that just fits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lipc.h"

#define CHECK(condition) ((condition) ? (void)0 : __builtin_trap())

int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    (void)call;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lipc_name name, again;
    memset(&name, 0x5a, sizeof name);
    int r = lipc_name_parse((const char *)data, size, &name);
    if (r < 0) {
        CHECK(lipc_error_code(r) == LIPC_ENAME || lipc_error_code(r) == LIPC_ENAMETOOLONG);
        CHECK(lipc_error_code(r) != LIPC_ENAMETOOLONG || (int)size > lipc_name_limit(LIPC_NAME_USER));
        return 0;
    }
    CHECK((name.type & (uint32_t)lipc_name_types()) == name.type && (name.type & (name.type - 1)) == 0);
    CHECK(name.length > 0 && (int)name.length <= lipc_name_limit((int)name.type) && name.text[name.length] == '\0');
    CHECK(name.type == LIPC_NAME_NAMESPACED || memchr(name.text, '\0', name.length) == NULL);
    /* In memory of exactly so many bytes, that the address sanitizer sees each one too many. */
    char whole[LIPC_NAME_CAPACITY + 7];
    int length = lipc_name_format(&name, whole, sizeof whole);
    CHECK(length == (int)size && memcmp(whole, data, size) == 0 && whole[length] == '\0');
    for (int room = 0; room <= length + 1; room++) {
        char *text = malloc((size_t)room + (room == 0));
        CHECK(text != NULL);
        r = lipc_name_format(&name, text, (size_t)room);
        CHECK(room <= length ? lipc_error_code(r) == LIPC_EMSGSIZE : r == length);
        if (r >= 0) {
            CHECK(lipc_name_parse(text, (size_t)r, &again) >= 0);
            CHECK(again.type == name.type && again.length == name.length);
            CHECK(memcmp(again.text, name.text, name.length + 1) == 0);
        }
        free(text);
    }
    /* A path that looks like another type of name keeps its type. */
    if (lipc_name_path((const char *)data, size, &name) >= 0) {
        length = lipc_name_format(&name, whole, sizeof whole);
        CHECK(length >= (int)size);
        if (lipc_name_parse(whole, (size_t)length, &again) >= 0)
            CHECK(again.type == LIPC_NAME_PATH && again.text[again.length] == '\0');
        else
            CHECK(length > lipc_name_limit(LIPC_NAME_PATH)); /* for the "./" in front there may be no room */
    }
    return 0;
}
