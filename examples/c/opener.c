/* Opens files for others: a server that passes open files, and a client that reads the files it is passed.
 *
 *     cc opener.c $(pkg-config --cflags --libs lipc) -o opener
 *     ./opener serve NAME DIR     open files in DIR for clients, until interrupted
 *     ./opener read NAME FILE     ask for FILE, and print what is in it
 *
 * NAME is "user:opener", say, which only you can reach.
 *
 * The client sends "FILE\n". The server answers "here it is\n" with the file, or "cannot open it: WHY\n" without one.
 * On Windows no handle travels with a payload. There the server gives the client's process a handle, and sends its
 * number: "here it is: NUMBER\n". The server opens only regular files by plain names: no paths, no symbolic links.
 *
 * It serves one connection at a time, and closes the connection of a client that sends nothing for long. On Windows
 * names of files are in the system's code page. */
#define _GNU_SOURCE /* O_CLOEXEC, openat and the like, also with -std=c11 */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lipc.h>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <fcntl.h>
#include <io.h>

#include <lipc_windows.h>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

enum {
    PATIENCE_MS = 5000, /* the longest wait for the peer */
    LOOK_MS = 100       /* how often to check for a signal, which does not end a wait */
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static int fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("opener: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return 1;
}

/* Writes all of the text. */
static int64_t write_text(lipc_handle connection, const char *text) {
    int64_t written = lipc_write(connection, text, strlen(text), PATIENCE_MS);
    if (written < 0 || (size_t)written == strlen(text))
        return written;
    return -((int64_t)LIPC_ETIMEDOUT << LIPC_ERROR_OS_BITS);
}

/* ================================ What differs between systems ================================ */

/* Returns NULL, or why files in this directory cannot be opened. */
static const char *check_directory(const char *dir);

/* Opens a regular file in the directory. Returns NULL, or why it cannot be opened. */
static const char *open_plain(const char *dir, const char *file, lipc_handle *ret_file);

/* Answers with the file, which stays the caller's. */
static int64_t answer_with_file(lipc_handle connection, lipc_handle file);

/* Receives a piece of the answer, and the file that came with it, if any. */
static int64_t receive_piece(lipc_handle connection, char *data, size_t size, lipc_handle *file);

/* Finds the file's number in the answer, if the system passes files so, and leaves the text that is to be printed. */
static void take_file(char *answer, lipc_handle *file);

/* As lipc_read(), for files. Returns NULL, or why the file cannot be read. */
static const char *read_file(lipc_handle file, char *data, size_t size, size_t *ret_size);

/* Makes standard output print each line at once, and on Windows without conversion of line ends. */
static void prepare_output(void);

#ifdef _WIN32

static const char *check_directory(const char *dir) {
    DWORD attributes = GetFileAttributesA(dir);
    if (attributes == INVALID_FILE_ATTRIBUTES || (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return "no such directory";
    return NULL;
}

static const char *open_plain(const char *dir, const char *file, lipc_handle *ret_file) {
    if (file[0] == '\0' || strpbrk(file, "\\/:") != NULL || strcmp(file, ".") == 0 || strcmp(file, "..") == 0)
        return "only plain names are opened";
    char path[MAX_PATH];
    int length = snprintf(path, sizeof path, "%s\\%s", dir, file);
    if (length < 0 || (size_t)length >= sizeof path)
        return "the name is too long";
    HANDLE handle = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                                OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (handle == INVALID_HANDLE_VALUE) {
        DWORD error = GetLastError();
        return error == ERROR_FILE_NOT_FOUND  ? "no such file"
               : error == ERROR_ACCESS_DENIED ? "access denied"
                                              : "the system refuses";
    }
    BY_HANDLE_FILE_INFORMATION about;
    if (GetFileType(handle) != FILE_TYPE_DISK || !GetFileInformationByHandle(handle, &about) ||
        (about.dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) != 0) {
        CloseHandle(handle); /* "nul" is a device in any directory */
        return "not a regular file";
    }
    *ret_file = (lipc_handle)handle;
    return NULL;
}

static int64_t answer_with_file(lipc_handle connection, lipc_handle file) {
    lipc_credentials client;
    int r = lipc_peer_credentials(connection, &client);
    lipc_handle number;
    if (r >= 0)
        r = lipc_duplicate_into(file, (uint32_t)client.pid, &number);
    if (r < 0)
        return r;
    char answer[64];
    snprintf(answer, sizeof answer, "here it is: %lld\n", (long long)number);
    return write_text(connection, answer);
}

static int64_t receive_piece(lipc_handle connection, char *data, size_t size, lipc_handle *file) {
    (void)file;
    return lipc_read(connection, data, size, PATIENCE_MS);
}

static void take_file(char *answer, lipc_handle *file) {
    long long number;
    if (sscanf(answer, "here it is: %lld", &number) == 1) { /* the client trusts the server */
        *file = (lipc_handle)number;
        strcpy(answer, "here it is\n");
    }
}

static const char *read_file(lipc_handle file, char *data, size_t size, size_t *ret_size) {
    DWORD length;
    if (!ReadFile((HANDLE)file, data, (DWORD)size, &length, NULL) && GetLastError() != ERROR_HANDLE_EOF)
        return "reading the file fails";
    *ret_size = length;
    return NULL;
}

static void prepare_output(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    _setmode(_fileno(stdout), _O_BINARY);
}

#else

static const char *check_directory(const char *dir) {
    int directory = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return strerror(errno);
    close(directory);
    return NULL;
}

static const char *open_plain(const char *dir, const char *file, lipc_handle *ret_file) {
    if (file[0] == '\0' || strchr(file, '/') != NULL || strcmp(file, ".") == 0 || strcmp(file, "..") == 0)
        return "only plain names are opened";
    int directory = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return strerror(errno);
    /* O_NONBLOCK, so that a FIFO does not wait for its writer */
    int fd = openat(directory, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int error = errno;
    close(directory);
    if (fd < 0)
        return error == ELOOP ? "not a regular file" : strerror(error);
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        return "not a regular file";
    }
    *ret_file = fd;
    return NULL;
}

static int64_t answer_with_file(lipc_handle connection, lipc_handle file) {
    char answer[] = "here it is\n";
    lipc_buffer text = {answer, strlen(answer)};
    lipc_message message = {.size = sizeof message, .buffers = &text, .buffer_count = 1, .handles = &file,
                            .handle_count = 1};
    int64_t sent = lipc_send_message(connection, &message, PATIENCE_MS);
    if (sent < 0 || (size_t)sent == text.size)
        return sent;
    return write_text(connection, answer + sent); /* the file has gone with the first byte */
}

static int64_t receive_piece(lipc_handle connection, char *data, size_t size, lipc_handle *file) {
    lipc_buffer buffer = {data, size};
    lipc_message message = {.size = sizeof message, .buffers = &buffer, .buffer_count = 1};
    if (*file == LIPC_INVALID_HANDLE) { /* otherwise there is no room for a file, and one that comes is closed */
        message.handles = file;
        message.handle_capacity = 1;
    }
    int64_t received = lipc_receive_message(connection, &message, PATIENCE_MS);
    return lipc_error_code(received) == LIPC_EEND ? 0 : received;
}

static void take_file(char *answer, lipc_handle *file) {
    (void)answer;
    (void)file;
}

static const char *read_file(lipc_handle file, char *data, size_t size, size_t *ret_size) {
    ssize_t length;
    do
        length = read((int)file, data, size);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return strerror(errno);
    *ret_size = (size_t)length;
    return NULL;
}

static void prepare_output(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

#endif

/* ========================================= The server ========================================= */

/* Answers one request. */
static int64_t answer(lipc_handle connection, const char *dir, const char *file) {
    lipc_handle handle = LIPC_INVALID_HANDLE;
    const char *why = open_plain(dir, file, &handle);
    if (why != NULL) {
        char text[512];
        snprintf(text, sizeof text, "cannot open it: %s\n", why);
        return write_text(connection, text);
    }
    printf("passing %s\n", file);
    int64_t r = answer_with_file(connection, handle);
    lipc_close(handle); /* the client has a handle of its own */
    return r;
}

/* Answers requests until the client closes the connection. */
static int64_t serve_connection(lipc_handle connection, const char *dir) {
    char requests[4096];
    size_t length = 0;
    for (int waited = 0; !stopped && waited < PATIENCE_MS;) {
        int64_t r = lipc_read(connection, requests + length, sizeof requests - length, LOOK_MS);
        if (lipc_error_code(r) == LIPC_ETIMEDOUT) {
            waited += LOOK_MS;
            continue;
        }
        if (r <= 0)
            return r;
        waited = 0;
        length += (size_t)r;
        char *line = requests, *end;
        while ((end = memchr(line, '\n', length)) != NULL) {
            *end++ = '\0';
            if ((r = answer(connection, dir, line)) < 0)
                return r;
            length -= (size_t)(end - line);
            line = end;
        }
        memmove(requests, line, length);
        if (length == sizeof requests)
            return write_text(connection, "cannot open it: the name is too long\n");
    }
    return 0;
}

static int serve(const lipc_name *name, const char *text, const char *dir) {
    const char *why = check_directory(dir);
    if (why != NULL)
        return fail("%s: %s", dir, why);
    lipc_listener *listener;
    int r = lipc_listen(name, NULL, &listener);
    if (r < 0)
        return fail("listening on %s: %s", text, lipc_strerror(r));
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    printf("listening on %s\n", text);
    int result = 0;
    while (!stopped) {
        lipc_handle connection;
        r = lipc_accept(listener, LOOK_MS, NULL, &connection);
        if (lipc_error_code(r) == LIPC_ETIMEDOUT)
            continue;
        if (r < 0) {
            result = fail("accepting: %s", lipc_strerror(r));
            break;
        }
        int64_t served = serve_connection(connection, dir);
        if (served < 0)
            fail("a client: %s", lipc_strerror(served));
        lipc_close(connection);
    }
    lipc_listener_close(listener);
    return result;
}

/* ========================================= The client ========================================= */

/* Asks for the file, and prints the answer. */
static int ask(lipc_handle connection, const char *path, lipc_handle *file) {
    int64_t r = write_text(connection, path);
    if (r >= 0)
        r = write_text(connection, "\n");
    if (r < 0)
        return fail("asking: %s", lipc_strerror(r));
    char answer[1024];
    size_t length = 0;
    while (length == 0 || answer[length - 1] != '\n') {
        if (length == sizeof answer - 1)
            return fail("the answer is too long");
        r = receive_piece(connection, answer + length, sizeof answer - 1 - length, file);
        if (r < 0)
            return fail("the answer: %s", lipc_strerror(r));
        if (r == 0)
            return fail("the opener closed the connection");
        length += (size_t)r;
    }
    answer[length] = '\0';
    take_file(answer, file);
    printf("the opener says: %s", answer);
    if (*file == LIPC_INVALID_HANDLE) {
        fflush(stdout);
        return fail("no file came");
    }
    return 0;
}

static int print_file(lipc_handle file) {
    char data[65536];
    size_t size = 0;
    do {
        const char *why = read_file(file, data, sizeof data, &size);
        if (why != NULL)
            return fail("%s", why);
        if (fwrite(data, 1, size, stdout) != size)
            return fail("the output: %s", strerror(errno));
    } while (size > 0);
    return fflush(stdout) == 0 ? 0 : fail("the output: %s", strerror(errno));
}

static int read_from(const lipc_name *name, const char *text, const char *path) {
    if (strchr(path, '\n') != NULL)
        return fail("a name with a line break cannot be asked for");
    lipc_handle connection;
    int r = lipc_connect(name, NULL, PATIENCE_MS, &connection);
    if (r < 0)
        return fail("connecting to %s: %s", text, lipc_strerror(r));
    lipc_handle file = LIPC_INVALID_HANDLE;
    int result = ask(connection, path, &file);
    if (result == 0)
        result = print_file(file);
    if (file != LIPC_INVALID_HANDLE)
        lipc_close(file);
    lipc_close(connection);
    return result;
}

int main(int argc, char **argv) {
    if (argc != 4)
        return fail("usage: opener serve NAME DIR | opener read NAME FILE");
    lipc_name name;
    int r = lipc_name_parse(argv[2], LIPC_STRLEN, &name);
    if (r < 0)
        return fail("%s: %s", argv[2], lipc_strerror(r));
    prepare_output();
    if (strcmp(argv[1], "serve") == 0)
        return serve(&name, argv[2], argv[3]);
    if (strcmp(argv[1], "read") == 0)
        return read_from(&name, argv[2], argv[3]);
    return fail("no such command: %s", argv[1]);
}
