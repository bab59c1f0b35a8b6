/* Memory for channels: sharing it, and what the kernel does for two processes that share it. The descriptor is closed
 * once both have mapped the memory. */

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX) && defined(SYS_memfd_create) && defined(SYS_membarrier)

#include <sys/mman.h>
#include <sys/vfs.h>

/* include/uapi/linux/{memfd,fcntl,membarrier,magic}.h: constants that older C libraries' headers lack */
enum {
    LIPC__MFD_CLOEXEC = 1,
    LIPC__MFD_ALLOW_SEALING = 2,
    LIPC__MFD_NOEXEC_SEAL = 8, /* since Linux 6.3, where vm.memfd_noexec may demand it */
    LIPC__F_ADD_SEALS = 1033,
    LIPC__F_GET_SEALS = 1034,
    LIPC__SIZE_SEALS = 2 | 4,      /* F_SEAL_SHRINK, F_SEAL_GROW */
    LIPC__SEAL_SEAL = 1,           /* F_SEAL_SEAL */
    LIPC__MEMBARRIER = 2,          /* MEMBARRIER_CMD_GLOBAL_EXPEDITED */
    LIPC__MEMBARRIER_REGISTER = 4, /* MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED */
    LIPC__TMPFS = 0x01021994       /* TMPFS_MAGIC */
};

static int lipc__sys_memfd_create(const char *name, unsigned flags) {
    return (int)syscall(SYS_memfd_create, name, flags);
}

static int lipc__sys_membarrier(int command) {
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

static int lipc__sys_mmap(int fd, size_t size, void **ret_memory) {
    *ret_memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return *ret_memory == MAP_FAILED ? -1 : 0;
}

static bool lipc__memory_available(void) {
    return true;
}

static void lipc__memory_unmap(char *memory, size_t size) {
    munmap(memory, size);
}

/* Child processes do not get the memory: two processes must not be the same side of a ring. */
static int lipc__memory_mmap(int fd, size_t size, char **ret_memory) {
    void *memory;
    if (SYS(lipc__sys_mmap(fd, size, &memory)) < 0)
        return lipc__error_from(errno);
    if (SYS(madvise(memory, size, MADV_DONTFORK)) < 0) {
        int r = lipc__error_from(errno);
        munmap(memory, size);
        return r;
    }
    *ret_memory = memory;
    return 0;
}

/* Creates memory for a channel, all zeroes. */
static int lipc__memory_create(size_t size, lipc_handle *ret_handle, char **ret_memory) {
    const unsigned flags = LIPC__MFD_CLOEXEC | LIPC__MFD_ALLOW_SEALING;
    int fd = SYS(lipc__sys_memfd_create("lipc channel", flags | LIPC__MFD_NOEXEC_SEAL));
    if (fd < 0 && errno == EINVAL)
        fd = SYS(lipc__sys_memfd_create("lipc channel", flags));
    if (fd < 0)
        return lipc__error_from(errno);
    int r = 0;
    if (SYS(ftruncate(fd, (off_t)size)) < 0 ||
        SYS(fcntl(fd, LIPC__F_ADD_SEALS, LIPC__SIZE_SEALS | LIPC__SEAL_SEAL)) < 0)
        r = lipc__error_from(errno);
    if (r == 0)
        r = lipc__memory_mmap(fd, size, ret_memory);
    if (r < 0)
        close(fd);
    else
        *ret_handle = fd;
    return r;
}

/* Maps memory that the peer created. It must be a memfd whose size nobody can change any more: otherwise the peer could
 * make it smaller, and access to it would raise SIGBUS. Huge pages can run out, which raises it too. Errors:
 * LIPC_EPROTO (the memory is not as it has to be), and those of mmap(2). */
static int lipc__memory_map(lipc_handle handle, size_t size, char **ret_memory) {
    int fd = (int)handle, seals = SYS(fcntl(fd, LIPC__F_GET_SEALS));
    struct stat file;
    struct statfs system;
    if (seals < 0 || (seals & LIPC__SIZE_SEALS) != LIPC__SIZE_SEALS || SYS(fstat(fd, &file)) < 0 ||
        (uint64_t)file.st_size != size || SYS(fstatfs(fd, &system)) < 0 || system.f_type != LIPC__TMPFS)
        return lipc__fault(LIPC_EPROTO);
    return lipc__memory_mmap(fd, size, ret_memory);
}

/* Lets the kernel interrupt this process for the sake of a peer that is about to sleep. Returns whether it will. */
static bool lipc__membarrier_register(void) {
    return SYS(lipc__sys_membarrier(LIPC__MEMBARRIER_REGISTER)) == 0;
}

/* Makes all running threads of the processes that are registered pass a barrier. Linux may lack memory for it. */
static int lipc__membarrier(void) {
    return SYS(lipc__sys_membarrier(LIPC__MEMBARRIER)) < 0 ? lipc__error_from(errno) : 0;
}

/* The number of the processor that this thread runs on, plus 1; 0 if it is not known. */
static uint32_t lipc__processor(void) {
    return (uint32_t)(sched_getcpu() + 1);
}

#define LIPC__SHARES_MEMORY 1
#endif
