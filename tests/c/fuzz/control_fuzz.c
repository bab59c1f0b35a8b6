/* Control data from anywhere: nothing beyond it is read, every handle in it is taken or closed once, and what was added
 * reads back the same. The first byte of the input says how it is used. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lipc_unix.h"

#define CHECK(condition) ((condition) ? (void)0 : __builtin_trap())

static size_t closed;

/* The seam, csrc/sys.h: the descriptors are invented, so none is ever touched. */
int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    CHECK(strncmp(call, "close(", 6) == 0 || strncmp(call, "fcntl(", 6) == 0);
    closed += call[0] == 'c';
    errno = EBADF;
    return 1;
}

/* How many descriptors an item holds. */
static size_t handles_in(const lipc_control_item *item) {
    size_t count = 0;
    if (item->kind == LIPC_CONTROL_HANDLES || item->kind == LIPC_CONTROL_PIDFD)
        for (size_t i = 0; i + sizeof(int) <= item->size; i += sizeof(int)) {
            int fd;
            memcpy(&fd, item->data + i, sizeof fd);
            count += fd >= 0;
        }
    return count;
}

/* Bytes as control data. off: how far from alignment it lies; step: how many handles are taken at a time, of every
 * other item. */
static void read_control(const uint8_t *data, size_t size, size_t off, size_t step) {
    char *memory = malloc(off + size + 1);
    CHECK(memory != NULL);
    lipc_control control = {memory + off, size, size, 0};
    memcpy(control.data, data, size);
    size_t left = 0, items = 0;
    lipc_control_item item;
    int r;
    for (char *last = control.data; (r = lipc_control_next(&control, &item)) > 0; items++, last = item.data) {
        CHECK(r == 1 && item.data > last - 1 && item.size <= size);
        CHECK(item.data + item.size <= control.data + size && control.position <= control.length);
        lipc_credentials credentials;
        CHECK((lipc_control_credentials(&item, &credentials) >= 0) == (item.kind == LIPC_CONTROL_CREDENTIALS));
        size_t count = handles_in(&item), taken = 0;
        lipc_handle got[8];
        for (int n; items % 2 == 0 && (n = lipc_control_take(&item, got, step)) > 0; taken += (size_t)n)
            for (int i = 0; i < n; i++)
                CHECK(n <= (int)step && got[i] >= 0);
        CHECK(taken == (items % 2 == 0 && step > 0 ? count : 0));
        left += count - taken;
    }
    CHECK(r == 0 || (lipc_error_code(r) == LIPC_EINVAL && lipc_control_next(&control, &item) == r));
    closed = 0;
    lipc_control_close(&control);
    lipc_control_close(&control);
    CHECK(closed == left && control.length == 0 && control.position == 0);
    free(memory);
}

/* Bytes as what to add, piece by piece: a level, a type, a size, and so many bytes, or handles. */
static void write_control(const uint8_t *data, size_t size, size_t off, size_t room) {
    enum { MOST = 64 };
    struct {
        int level, type;
        const uint8_t *data;
        size_t size;
        bool handles;
    } added[MOST];
    size_t count = 0;
    char *memory = malloc(off + room + 1);
    CHECK(memory != NULL);
    memset(memory, 0x5a, off + room + 1);
    lipc_control control = {memory + off, room, 0, 0};
    while (size >= 3 && count < MOST) {
        int level = data[0] & 0x7f, type = data[1];
        bool handles = data[0] & 0x80;
        size_t length = data[2], before = control.length;
        data += 3, size -= 3;
        length = length < size ? length : size;
        lipc_handle lent[256];
        for (size_t i = 0; i < length; i++)
            lent[i] = data[i];
        int r = handles ? lipc_control_add_handles(&control, lent, length)
                        : lipc_control_add(&control, level, type, data, length);
        if (r < 0) {
            CHECK(lipc_error_code(r) == (handles && length > LIPC_MESSAGE_HANDLES ? LIPC_ETOOMANY : LIPC_EMSGSIZE));
            CHECK(control.length == before);
        } else {
            CHECK(control.length > before && control.length <= room);
            added[count].level = handles ? SOL_SOCKET : level;
            added[count].type = handles ? SCM_RIGHTS : type;
            added[count].data = data;
            added[count].size = length;
            added[count++].handles = handles;
        }
        data += length, size -= length;
    }
    CHECK((unsigned char)memory[off + room] == 0x5a);
    lipc_control_item item;
    for (size_t i = 0; i < count; i++) {
        CHECK(lipc_control_next(&control, &item) == 1);
        CHECK(item.level == added[i].level && item.type == added[i].type);
        CHECK(item.size == added[i].size * (added[i].handles ? sizeof(int) : 1));
        CHECK(!added[i].handles || item.kind == LIPC_CONTROL_HANDLES);
        for (size_t k = 0; k < added[i].size; k++) {
            int fd = 0;
            memcpy(&fd, item.data + k * (added[i].handles ? sizeof fd : 1), added[i].handles ? sizeof fd : 1);
            CHECK(fd == added[i].data[k]);
        }
    }
    CHECK(lipc_control_next(&control, &item) == 0);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    uint8_t how = *data++;
    size--;
    if (how & 0x80)
        write_control(data, size, how & 7, (size_t)(how & 0x78) << 4);
    else
        read_control(data, size, how & 7, how >> 3 & 7);
    return 0;
}
