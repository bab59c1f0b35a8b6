/* FIFOs: made, opened, waited for; what a silent writer is, and what the end is. */
#include "fixture.h"

static char got[64];

static const char *fifo_path(void) {
    return in_directory("f");
}

static void make_fifo(void) {
    CHECK_OK(lipc_fifo_create(fifo_path(), 0));
}

static lipc_handle open_reader(void) {
    lipc_handle reader = LIPC_INVALID_HANDLE;
    CHECK_OK(lipc_fifo_open_reader(fifo_path(), &reader));
    return reader;
}

static lipc_handle open_writer(void) {
    lipc_handle writer = LIPC_INVALID_HANDLE;
    CHECK_OK(lipc_fifo_open_writer(fifo_path(), WAIT, &writer));
    return writer;
}

/* ------------------------------------------- Making --------------------------------------------- */

TEST(a_fifo_has_the_mode_that_was_asked_for) {
    static const struct {
        uint32_t asked, wanted;
    } modes[] = {{0, 0600}, {0600, 0600}, {0622, 0622}, {0777, 0777}, {0400, 0400}};
    static const mode_t masks[] = {0, 022, 077, 0777};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        for (size_t j = 0; j < sizeof masks / sizeof *masks; j++) {
            mode_t before = umask(masks[j]);
            int r = lipc_fifo_create(fifo_path(), modes[i].asked);
            umask(before);
            CHECK_OK(r);
            struct stat st;
            CHECK(lstat(fifo_path(), &st) == 0 && S_ISFIFO(st.st_mode));
            CHECK_INT(modes[i].wanted, st.st_mode & 07777);
            remove_file("f");
        }
}

/* What may be in the way. */
static void make_in_the_way(const char *what) {
    if (strcmp(what, "FIFO") == 0)
        CHECK(mkfifo(fifo_path(), 0640) == 0);
    else if (strcmp(what, "file") == 0)
        CHECK(close(open(fifo_path(), O_CREAT | O_WRONLY, 0640)) == 0);
    else if (strcmp(what, "directory") == 0)
        CHECK(mkdir(fifo_path(), 0750) == 0);
    else if (strcmp(what, "socket") == 0)
        make_stale("f");
    else if (strcmp(what, "link to nothing") == 0)
        CHECK(symlink("absent", fifo_path()) == 0);
    else
        CHECK(symlink(".", fifo_path()) == 0);
}

TEST(what_is_in_the_way_stays_as_it_is) {
    static const struct {
        const char *name;
        int making, opening;
    } rows[] = {
        {"FIFO", LIPC_EEXIST, 0},
        {"file", LIPC_ENOTFIFO, LIPC_ENOTFIFO},
        {"directory", LIPC_ENOTFIFO, LIPC_ENOTFIFO},
        {"socket", LIPC_ENOTFIFO, LIPC_ENOTFIFO},
        {"link to nothing", LIPC_ENOTFIFO, LIPC_ENOENT},
        {"link to a directory", LIPC_ENOTFIFO, LIPC_ENOTFIFO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        make_in_the_way(rows[i].name);
        struct stat before, after;
        CHECK(lstat(fifo_path(), &before) == 0);
        CHECK_ERROR(rows[i].making, lipc_fifo_create(fifo_path(), 0777));
        CHECK(lstat(fifo_path(), &after) == 0);
        CHECK(before.st_ino == after.st_ino && before.st_mode == after.st_mode && before.st_size == after.st_size);
        CHECK(!exists("absent"));
        if (rows[i].opening != 0) {
            lipc_handle handle;
            memset(&handle, UNTOUCHED, sizeof handle);
            CHECK_ERROR(rows[i].opening, lipc_fifo_open_reader(fifo_path(), &handle));
            CHECK_ERROR(rows[i].opening, lipc_fifo_open_writer(fifo_path(), WAIT, &handle));
            CHECK(is_untouched(&handle, sizeof handle));
        }
        CHECK(remove(fifo_path()) == 0);
    }
}

TEST(a_link_to_a_fifo_is_followed_when_opening) {
    make_fifo();
    CHECK(symlink("f", in_directory("link")) == 0);
    lipc_handle reader;
    CHECK_OK(lipc_fifo_open_reader(in_directory("link"), &reader));
    CHECK_INT(LIPC_PIPE_READER, lipc_kind(reader));
    CHECK_OK(lipc_close(reader));
    remove_file("link");
    remove_file("f");
}

TEST(a_path_that_cannot_be_says_why) {
    char long_path[5000];
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    CHECK(close(open(in_directory("file"), O_CREAT | O_WRONLY, 0600)) == 0);
    struct {
        const char *name, *path;
        int making, opening;
    } rows[] = {
        {"absent", in_directory("absent"), 0, LIPC_ENOENT},
        {"no directory", in_directory("none/f"), LIPC_ENOENT, LIPC_ENOENT},
        {"below a file", in_directory("file/f"), LIPC_ENOENT, LIPC_ENOENT},
        {"empty", "", LIPC_EINVAL, LIPC_ENOENT},
        {"too long", long_path, LIPC_ENAMETOOLONG, LIPC_ENAMETOOLONG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        lipc_handle handle;
        memset(&handle, UNTOUCHED, sizeof handle);
        if (rows[i].making != 0)
            CHECK_ERROR(rows[i].making, lipc_fifo_create(rows[i].path, 0));
        CHECK_ERROR(rows[i].opening, lipc_fifo_open_reader(rows[i].path, &handle));
        CHECK_ERROR(rows[i].opening, lipc_fifo_open_writer(rows[i].path, -1, &handle));
        CHECK(is_untouched(&handle, sizeof handle));
    }
    static const uint32_t modes[] = {01000, 04600, UINT32_MAX};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        CHECK_ERROR(LIPC_EINVAL, lipc_fifo_create(fifo_path(), modes[i]));
    CHECK(!exists("f"));
    remove_file("file");
}

TEST(a_user_that_may_not_open_a_fifo_gets_an_error) {
    NEEDS_ROOT();
    CHECK(chmod(test_directory, 0755) == 0);
    make_fifo();
    lipc_handle handle;
    memset(&handle, UNTOUCHED, sizeof handle);
    CHECK(seteuid(NOBODY) == 0);
    int reading = lipc_fifo_open_reader(fifo_path(), &handle);
    int writing = lipc_fifo_open_writer(fifo_path(), -1, &handle);
    int making = lipc_fifo_create(in_directory("another"), 0);
    CHECK(seteuid(0) == 0);
    CHECK_ERROR(LIPC_EACCES, reading);
    CHECK_ERROR(LIPC_EACCES, writing);
    CHECK_ERROR(LIPC_EACCES, making);
    CHECK(is_untouched(&handle, sizeof handle));
    remove_file("f");
}

TEST(too_many_descriptors_are_an_error) {
    make_fifo();
    lipc_handle handle;
    memset(&handle, UNTOUCHED, sizeof handle);
    struct rlimit limit = forbid_descriptors();
    int r = lipc_fifo_open_reader(fifo_path(), &handle);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_ERROR(LIPC_EMFILE, r);
    CHECK(is_untouched(&handle, sizeof handle));
    remove_file("f");
}

/* ---------------------------------------- Opening, waiting -------------------------------------- */

TEST(handles_of_a_fifo_are_born_as_all_are) {
    make_fifo();
    lipc_handle reader = open_reader(), writer = open_writer();
    check_born(reader);
    check_born(writer);
    CHECK_INT(LIPC_PIPE_READER, lipc_kind(reader));
    CHECK_INT(LIPC_PIPE_WRITER, lipc_kind(writer));
    check_connected(writer, reader);
    int both = open(fifo_path(), O_RDWR);
    if (both >= 0) { /* not every system has that */
        CHECK_INT(LIPC_PIPE_DUPLEX, lipc_adopt(both));
        CHECK_OK(lipc_close(both));
    }
    close_all((lipc_handle[]){reader, writer}, 2);
    remove_file("f");
}

static void open_reader_when_told(const void *argument) {
    const lipc_handle *told = argument;
    ready();
    CHECK_INT(1, lipc_read(*told, got, 1, WAIT));
    lipc_handle reader = open_reader();
    CHECK_OK(lipc_fifo_wait_writer(reader, WAIT));
    memset(got, 0, sizeof got);
    CHECK_INT(5, lipc_read(reader, got, sizeof got, WAIT));
    CHECK_STRING("hello", got);
    CHECK_INT(0, lipc_read(reader, got, sizeof got, WAIT));
}

TEST(a_writer_waits_for_a_reader) {
    make_fifo();
    lipc_handle writer, tell[2];
    for (int timeout = -1; timeout <= WAIT; timeout += WAIT + 1) {
        memset(&writer, UNTOUCHED, sizeof writer);
        CHECK_ERROR(LIPC_EAGAIN, lipc_fifo_open_writer(fifo_path(), 0, &writer));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_fifo_open_writer(fifo_path(), 1, &writer));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_fifo_open_writer(fifo_path(), 10, &writer));
        CHECK(is_untouched(&writer, sizeof writer));
        CHECK_OK(lipc_pipe(NULL, &tell[0], &tell[1]));
        pid_t process = start(open_reader_when_told, &tell[0]);
        CHECK_INT(1, lipc_write(tell[1], "x", 1, WAIT));
        CHECK_OK(lipc_fifo_open_writer(fifo_path(), timeout, &writer));
        CHECK_INT(5, lipc_write(writer, "hello", 5, WAIT));
        close_all((lipc_handle[]){writer, tell[0], tell[1]}, 3);
        join(process);
    }
    remove_file("f");
}

TEST(a_wait_for_a_reader_ends_when_the_fifo_is_gone) {
    make_fifo();
    lipc_handle writer;
    CHECK_ERROR(LIPC_EAGAIN, lipc_fifo_open_writer(fifo_path(), 0, &writer));
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        remove_file("f");
        _exit(TEST_PASSED);
    }
    CHECK_ERROR(LIPC_ENOENT, lipc_fifo_open_writer(fifo_path(), -1, &writer));
    join(process);
}

static void write_nothing_and_stay(const void *unused) {
    (void)unused;
    open_writer();
    ready();
    stay();
}

TEST(a_reader_waits_for_a_writer_even_a_silent_one) {
    make_fifo();
    lipc_handle reader = open_reader();
    for (int again = 0; again < 2; again++) { /* the second writer counts like the first */
        CHECK_ERROR(LIPC_EAGAIN, lipc_fifo_wait_writer(reader, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_fifo_wait_writer(reader, 1));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_fifo_wait_writer(reader, 10));
        CHECK_INT(0, lipc_read(reader, got, 1, WAIT)); /* no writer: the end */
        pid_t process = start(write_nothing_and_stay, NULL);
        for (int timeout = -1; timeout <= 1; timeout++)
            CHECK_OK(lipc_fifo_wait_writer(reader, timeout));
        CHECK_ERROR(LIPC_EAGAIN, lipc_read(reader, got, 1, 0)); /* a silent writer is no end */
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_read(reader, got, 1, 10));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_readv(reader, &(lipc_buffer){got, 1}, 1, 10));
        kill_hard(process);
        CHECK_INT(0, lipc_read(reader, got, 1, WAIT));
    }
    CHECK_OK(lipc_close(reader));
    remove_file("f");
}

static void open_writer_when_told(const void *argument) {
    const lipc_handle *told = argument;
    ready();
    CHECK_INT(1, lipc_read(*told, got, 1, WAIT));
    CHECK_INT(5, lipc_write(open_writer(), "hello", 5, WAIT));
}

TEST(a_wait_for_a_writer_takes_nothing_from_what_it_writes) {
    make_fifo();
    lipc_handle reader = open_reader();
    for (int timeout = -1; timeout <= WAIT; timeout += WAIT + 1) {
        lipc_handle tell[2];
        CHECK_OK(lipc_pipe(NULL, &tell[0], &tell[1]));
        pid_t process = start(open_writer_when_told, &tell[0]);
        CHECK_INT(1, lipc_write(tell[1], "x", 1, WAIT));
        CHECK_OK(lipc_fifo_wait_writer(reader, timeout));
        CHECK_OK(lipc_fifo_wait_writer(reader, timeout));
        join(process); /* now it has come and gone, */
        for (int again = -1; again <= 1; again++)
            CHECK_OK(lipc_fifo_wait_writer(reader, again)); /* which counts, since it left something to read */
        memset(got, 0, sizeof got);
        CHECK_INT(5, lipc_read(reader, got, sizeof got, WAIT));
        CHECK_STRING("hello", got);
        CHECK_INT(0, lipc_read(reader, got, sizeof got, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, lipc_fifo_wait_writer(reader, 0));
        close_all(tell, 2);
    }
    CHECK_OK(lipc_close(reader));
    remove_file("f");
}

TEST(only_a_reader_waits_for_a_writer) {
    make_fifo();
    lipc_handle reader = open_reader(), writer = open_writer(), a, b;
    int file = open("/dev/null", O_RDWR);
    CHECK_OK(lipc_pair(LIPC_DATAGRAM, &a, &b));
    CHECK_INT(5, lipc_send(a, "hello", 5, WAIT));
    for (int timeout = -1; timeout <= 1; timeout++) {
        CHECK_ERROR(LIPC_EBADF, lipc_fifo_wait_writer(writer, timeout));
        CHECK_ERROR(LIPC_EBADF, lipc_fifo_wait_writer(LIPC_INVALID_HANDLE, timeout));
        CHECK_ERROR(LIPC_ENOTSOCK, lipc_fifo_wait_writer(b, timeout));
        CHECK_ERROR(LIPC_ENOTSOCK, lipc_fifo_wait_writer(file, timeout));
    }
    CHECK_INT(5, lipc_receive(b, got, sizeof got, 0)); /* it takes nothing from it */
    close_all((lipc_handle[]){reader, writer, a, b, file}, 5);
    remove_file("f");
}

/* -------------------------------------------- Ends ---------------------------------------------- */

TEST(the_end_comes_when_the_last_writer_has_left) {
    make_fifo();
    lipc_handle reader = open_reader(), first = open_writer(), second = open_writer();
    CHECK_INT(1, lipc_write(first, "1", 1, WAIT));
    CHECK_OK(lipc_close(first));
    CHECK_INT(1, lipc_read(reader, got, sizeof got, WAIT));
    CHECK_ERROR(LIPC_EAGAIN, lipc_read(reader, got, sizeof got, 0));
    CHECK_INT(1, lipc_write(second, "2", 1, WAIT));
    CHECK_OK(lipc_close(second));
    CHECK_INT(1, lipc_read(reader, got, sizeof got, WAIT));
    for (int again = 0; again < 2; again++)
        CHECK_INT(0, lipc_read(reader, got, sizeof got, WAIT));
    for (int round = 0; round < 3; round++) { /* and others may come */
        lipc_handle another = open_writer();
        CHECK_OK(lipc_fifo_wait_writer(reader, 0));
        check_connected(another, reader);
        CHECK_ERROR(LIPC_EAGAIN, lipc_read(reader, got, sizeof got, 0));
        CHECK_OK(lipc_close(another));
        CHECK_INT(0, lipc_read(reader, got, sizeof got, WAIT));
    }
    CHECK_OK(lipc_close(reader));
    remove_file("f");
}

TEST(the_last_reader_that_leaves_breaks_the_pipe) {
    make_fifo();
    lipc_handle reader = open_reader(), writer = open_writer();
    CHECK_OK(lipc_close(reader));
    CHECK_ERROR(LIPC_EPIPE, lipc_write(writer, "x", 1, WAIT)); /* SIGPIPE would kill the test */
    CHECK_ERROR(LIPC_EPIPE, lipc_writev(writer, &(lipc_buffer){"xy", 2}, 1, 0));
    reader = open_reader(); /* until another comes */
    check_connected(writer, reader);
    close_all((lipc_handle[]){reader, writer}, 2);
    remove_file("f");
}

/* Opens a FIFO as other programs do, blocking. */
TEST(a_program_that_knows_nothing_of_us_writes_and_reads) {
    make_fifo();
    lipc_handle reader = open_reader();
    char command[300];
    snprintf(command, sizeof command, "echo hello >'%s'", fifo_path());
    CHECK(system(command) == 0);
    CHECK_OK(lipc_fifo_wait_writer(reader, 0));
    CHECK_INT(6, lipc_read(reader, got, sizeof got, WAIT));
    CHECK_OK(lipc_close(reader));
    snprintf(command, sizeof command, "read line <'%s' && [ \"$line\" = there ]", fifo_path());
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(TEST_FAILED);
    }
    lipc_handle writer = open_writer();
    CHECK_INT(6, lipc_write(writer, "there\n", 6, WAIT));
    join(process);
    CHECK_OK(lipc_close(writer));
    remove_file("f");
}
