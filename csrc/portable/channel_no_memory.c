/* Where memory is not shared yet, channels go over their connection: all systems but Linux. */

static bool lipc__memory_available(void) {
    return false;
}

static void lipc__memory_unmap(char *memory, size_t size) {
    (void)memory, (void)size;
}

static int lipc__memory_create(size_t size, lipc_handle *ret_handle, char **ret_memory) {
    (void)size, (void)ret_handle, (void)ret_memory;
    return lipc__fault(LIPC_ENOTSUP);
}

static int lipc__memory_map(lipc_handle handle, size_t size, char **ret_memory) {
    (void)handle, (void)size, (void)ret_memory;
    return lipc__fault(LIPC_ENOTSUP);
}

static bool lipc__membarrier_register(void) {
    return false;
}

static int lipc__membarrier(void) {
    return 0;
}

static uint32_t lipc__processor(void) {
    return 0;
}
