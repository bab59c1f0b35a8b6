/* Prints each constant of the headers, and the size of each struct, but for the version. */
#include <lipc.h>

#include <stdio.h>
#include <string.h>

int main(void) {
    const char *name;
    int64_t value;
    for (size_t i = 0; (name = lipc_constant_name(i)) != NULL; i++) {
        if (lipc_constant(name, &value) < 0)
            return 1;
        if (strncmp(name, "LIPC_VERSION", strlen("LIPC_VERSION")) != 0)
            printf("%s %lld\n", name, (long long)value);
    }
    return 0;
}
