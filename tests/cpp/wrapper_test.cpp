// Tests of examples/cpp/lipc.hpp, on Unix. Arguments: a directory for socket files.
#include "lipc.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <new>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                               \
            std::exit(1);                                                                                              \
        }                                                                                                              \
    } while (0)

std::string directory;

std::string path() { return directory + "/s"; }

// The code of the error that this throws.
std::error_code thrown(const std::function<void()> &action) {
    try {
        action();
    } catch (const lipc::error &e) {
        return e.code();
    }
    return {};
}

int open_descriptors() {
    int count = 0;
    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

lipc::handle null_device() {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    return lipc::handle(fd);
}

// Allocations until one fails; -1: none does.
int allocations_left = -1;

void numbers_match_the_library() {
    auto constant = [](const char *name) {
        std::int64_t value = -1;
        REQUIRE(lipc_constant(name, &value) >= 0);
        return value;
    };
    REQUIRE(constant("sizeof(lipc_message)") == sizeof(lipc_message));
    REQUIRE(constant("sizeof(lipc_name)") == sizeof(lipc_name));
    REQUIRE(constant("LIPC_VERSION") == lipc_version());
}

void errors_are_portable_codes_and_the_systems_own() {
    try {
        lipc::connect(lipc::name::path(path()), 1s);
        REQUIRE(!"connected to nobody");
    } catch (const std::system_error &e) {
        REQUIRE(e.code() == std::errc::no_such_file_or_directory);
        REQUIRE(e.code() == lipc::code(LIPC_ENOENT));
        REQUIRE(dynamic_cast<const lipc::error &>(e).os_code() == ENOENT);
        REQUIRE(std::strstr(e.what(), path().c_str()) != nullptr);
        REQUIRE(std::strstr(e.what(), "no such name") != nullptr);
    }
    lipc::listener listener(lipc::name::path(path()));
    REQUIRE(thrown([] { lipc::listener again(lipc::name::path(path())); }) == std::errc::address_in_use);
    REQUIRE(thrown([] { lipc::connect(lipc::name::path(path()), 1s, LIPC_MESSAGE); }) == std::errc::not_a_socket);
    REQUIRE(thrown([] { lipc::stream().read(1); }) == std::errc::bad_file_descriptor);
    for (int code = 1; code <= 24; code++) // each condition is one of its own category or of the generic one
        REQUIRE(!lipc::code(static_cast<lipc_error>(code)).message().empty());
}

void names_are_checked_and_round_trip() {
    REQUIRE(lipc::name::parse("@x") == lipc::name::namespaced("x"));
    REQUIRE(lipc::name::parse("/tmp/x") == lipc::name::path("/tmp/x"));
    REQUIRE(lipc::name::path("x") != lipc::name::namespaced("x"));
    REQUIRE(lipc::name::parse("@x").string() == "@x");
    REQUIRE(lipc::name::user("x") == lipc::name::parse("user:x") && lipc::name::user("x").string() == "user:x");
    REQUIRE(lipc::name::system("x") == lipc::name::parse("system:x") && lipc::name::system("x").text() == "x");
    REQUIRE(lipc::name::user("x").type() == LIPC_NAME_USER && lipc::name::system("x").type() == LIPC_NAME_SYSTEM);
    REQUIRE(thrown([] { lipc::name::user("a/b"); }) == lipc::code(LIPC_ENAME));
    REQUIRE(lipc::name::path("@x").string() == "./@x");
    REQUIRE(lipc::name().string().empty() && lipc::name().type() == 0);
    REQUIRE(thrown([] { lipc::name::path(""); }) == lipc::code(LIPC_ENAME));
    REQUIRE(thrown([] { lipc::name::path({}); }) == lipc::code(LIPC_ENAME));
    REQUIRE(thrown([] { lipc::name::path(std::string(2000, 'x')); }) == std::errc::filename_too_long);
    REQUIRE(thrown([] { lipc::name::path(std::string_view("a\0b", 3)); }) == lipc::code(LIPC_ENAME));
}

void user_names_are_files_at_their_location() {
    setenv("XDG_RUNTIME_DIR", directory.c_str(), 1);
    lipc::name name = lipc::name::user("x");
    REQUIRE(name.location() == directory + "/lipc/x");
    {
        lipc::listener listener(name);
        REQUIRE(std::filesystem::is_socket(name.location()));
        lipc::connect(lipc::name::path(name.location()), 1s);
        lipc::connect(name, 1s).check_peer({LIPC_PEERS_SAME_USER});
    }
    std::filesystem::remove(directory + "/lipc");
    unsetenv("XDG_RUNTIME_DIR");
}

void policies_admit_only_the_users_that_they_name() {
    auto own = static_cast<std::uint32_t>(geteuid());
    const lipc::name name = lipc::name::path(path());
    for (const auto &[policy, admitted] : {std::pair<lipc::peer_policy, bool>{{LIPC_PEERS_SAME_USER}, true},
                                           {{LIPC_PEERS_ANY}, true},
                                           {{0, {own + 1, own}}, true},
                                           {{0, {own + 1}}, false},
                                           {{}, false}}) {
        const std::error_code expected = admitted ? std::error_code() : lipc::code(LIPC_EACCES);
        {
            lipc::listener listener(name);
            REQUIRE(thrown([&, &policy = policy] { lipc::connect(name, 1s, LIPC_STREAM, policy); }) == expected);
            auto client = lipc::connect(name, 1s);
            REQUIRE(thrown([&, &policy = policy] { client.check_peer(policy); }) == expected);
        }
        lipc::listener listener(name, LIPC_STREAM, 0, 0, policy);
        auto client = lipc::connect(name, 1s);
        REQUIRE(thrown([&] { listener.accept(0ms); }) == expected);
        REQUIRE(client.read(1, 1s).empty()); // it was closed, in both cases
    }
}

void group_is_that_of_the_socket_file() {
    const auto group = static_cast<std::uint32_t>(geteuid() == 0 ? 12345 : getegid());
    lipc::listener listener(lipc::name::path(path()), LIPC_STREAM, 0660, 0, {}, group);
    struct stat about;
    REQUIRE(stat(path().c_str(), &about) == 0 && about.st_gid == group);
}

void timeouts_run_out() {
    lipc::listener listener(lipc::name::path(path()));
    REQUIRE(thrown([&] { listener.accept(0ms); }) == std::errc::resource_unavailable_try_again);
    REQUIRE(thrown([&] { listener.accept(1ms); }) == std::errc::timed_out);
    REQUIRE(!listener.try_accept(0ms) && !listener.try_accept(1ms));
    auto [a, b] = lipc::pair();
    char byte;
    auto &reader = a;
    REQUIRE(thrown([&] { reader.read(&byte, 1, 1ms); }) == std::errc::timed_out);
    REQUIRE(thrown([&] { reader.write(std::string(64 << 20, 'x'), 10ms); }) == std::errc::timed_out);
}

void streams_carry_bytes_until_their_end() {
    lipc::listener listener(lipc::name::path(path()));
    REQUIRE(listener.name() == lipc::name::path(path()));
    lipc::connection client = lipc::connect(listener.name(), 1s);
    lipc::connection server = listener.accept(1s);
    REQUIRE(server.kind() == LIPC_STREAM);
    REQUIRE(server.peer_credentials().pid == getpid() && server.peer_credentials().uid == geteuid());
    REQUIRE(client.peer_name() == listener.name() && client.local_name() == lipc::name());
    client.write("to the server");
    client.write("");
    REQUIRE(server.read(100, 1s) == "to the server");
    server.write("back");
    server.shutdown(LIPC_WRITE);
    char got[100];
    REQUIRE(client.read(got, sizeof got, lipc::milliseconds::max()) == 4);
    REQUIRE(client.read(100, 1s).empty());
    server.close();
    REQUIRE(thrown([&] { client.write("to nobody"); }) == std::errc::broken_pipe);
    REQUIRE(!server && client);
}

void listener_removes_its_file_and_takes_its_mode() {
    {
        lipc::listener first(lipc::name::path(path()), LIPC_STREAM, 0640, 5);
        struct stat about;
        REQUIRE(stat(path().c_str(), &about) == 0 && (about.st_mode & 0777) == 0640);
        lipc::listener second(std::move(first));
        first = std::move(second);
        first = lipc::listener(lipc::name::path(path() + "2"));
        REQUIRE(!std::filesystem::exists(path()));
    }
    REQUIRE(std::filesystem::is_empty(directory));
}

void closed_listeners_are_bad_handles() {
    lipc::listener first(lipc::name::path(path()));
    lipc::listener second(std::move(first));
    second.close();
    for (lipc::listener *closed : {&first, &second}) {
        REQUIRE(closed->native() == nullptr);
        REQUIRE(thrown([&] { closed->accept(0ms); }) == std::errc::bad_file_descriptor);
        REQUIRE(thrown([&] { closed->try_accept(0ms); }) == lipc::code(LIPC_EBADF));
        REQUIRE(thrown([&] { closed->name(); }) == lipc::code(LIPC_EBADF));
        closed->close();
    }
}

void messages_keep_their_boundaries() {
#ifndef __APPLE__
    auto [a, b] = lipc::pair(LIPC_MESSAGE);
    a.send("one");
    a.send("");
    a.send({});
    a.send("too long");
    a.send("last");
    a.close();
#ifdef __linux__
    REQUIRE(b.message_size(1s) == std::size_t(3));
#endif
    REQUIRE(b.receive(100, 1s) == "one");
    REQUIRE(b.receive(100, 1s) == "");
    REQUIRE(b.receive(100, 1s) == "");
    char beginning[3];
    auto &receiver = b;
    REQUIRE(thrown([&] { receiver.receive(beginning, sizeof beginning, 1s); }) == lipc::code(LIPC_ETRUNCATED));
    REQUIRE(std::memcmp(beginning, "too", 3) == 0);
    REQUIRE(b.receive(100, 1s) == "last");
    REQUIRE(b.receive(100, 1s) == std::nullopt);
#ifdef __linux__
    REQUIRE(b.message_size(1s) == std::nullopt);
#endif
#endif
}

void pipes_go_one_way() {
    auto [reader, writer] = lipc::pipe();
    REQUIRE(reader.kind() & LIPC_PIPE_READER);
    writer.write("through");
    lipc::handle rest = writer.release();
    REQUIRE(!writer);
    rest.close();
    REQUIRE(reader.read(100, 1s) == "through");
    REQUIRE(reader.read(100, 1s).empty());
}

void handles_have_one_owner() {
    int before = open_descriptors();
    {
        lipc::handle a = null_device(), b = a.duplicate();
        REQUIRE(a.native() != b.native() && open_descriptors() == before + 2);
        a = std::move(b);
        REQUIRE(a && !b && open_descriptors() == before + 1);
        auto &same = a;
        a = std::move(same);
        REQUIRE(a && open_descriptors() == before + 1);
        lipc_handle raw = a.release();
        REQUIRE(!a && open_descriptors() == before + 1);
        b.reset(raw);
    }
    REQUIRE(open_descriptors() == before);
}

void files_arrive_once_and_belong_to_the_receiver() {
    auto [a, b] = lipc::pair();
    lipc::handle file = null_device();
    a.send_files("two", {file.native(), file.native()});
    char data[100];
    auto got = b.receive_files(data, sizeof data, 5, 1s);
    REQUIRE(got && got->size == 3 && got->files.size() == 2);
    REQUIRE(fcntl(static_cast<int>(got->files[1].native()), F_GETFD) == FD_CLOEXEC);
    struct stat sent, arrived;
    REQUIRE(fstat(static_cast<int>(file.native()), &sent) == 0);
    REQUIRE(fstat(static_cast<int>(got->files[0].native()), &arrived) == 0 && sent.st_rdev == arrived.st_rdev);

    int before = open_descriptors();
    auto &sender = a, &receiver = b;
    sender.send_files("x", {file.native()});
    REQUIRE(receiver.receive_files(data, sizeof data, 0, 1s)->files.empty()); // unwanted: closed
    sender.send_files("x", {file.native()});
    REQUIRE(receiver.read(100, 1s) == "x"); // unasked for: closed
    sender.send_files("x", {file.native(), file.native()});
    REQUIRE(thrown([&] { receiver.receive_files(data, sizeof data, 1, 1s); }) == lipc::code(LIPC_EHANDLES));
    sender.send_files("", {file.native()}); // goes with a byte of value 0
    REQUIRE(receiver.receive_files(data, sizeof data, 1, 1s)->files.size() == 1);
    REQUIRE(data[0] == 0);
    REQUIRE(thrown([&] { sender.send_files("x", std::vector<lipc_handle>(300, file.native())); }) ==
            lipc::code(LIPC_ETOOMANY));
    REQUIRE(thrown([&] { receiver.receive_files(data, sizeof data, LIPC_MESSAGE_HANDLES + 1, 0ms); }) ==
            lipc::code(LIPC_ETOOMANY));
    REQUIRE(thrown([&] { receiver.receive_files(data, sizeof data, SIZE_MAX, 0ms); }) == lipc::code(LIPC_ETOOMANY));
    sender.send_files("x", {file.native()});
    REQUIRE(receiver.receive_files(data, sizeof data, LIPC_MESSAGE_HANDLES, 1s)->files.size() == 1);
    REQUIRE(open_descriptors() == before);
    sender.close();
    REQUIRE(!receiver.receive_files(data, sizeof data, 1, 1s));
}

void long_pieces_of_a_stream_carry_their_files_once() {
    auto [a, b] = lipc::pair();
    lipc::handle file = null_device();
    lipc::connection reader = std::move(b);
    auto &sender = a;
    std::string big(8 << 20, 'x');
    REQUIRE(thrown([&] { sender.send_files(big, {file.native()}, 10ms); }) == std::errc::timed_out);
    sender.close();
    char data[65536];
    std::size_t files = 0, size = 0;
    while (auto got = reader.receive_files(data, sizeof data, 5, 1s)) {
        files += got->files.size();
        size += got->size;
    }
    REQUIRE(files == 1 && size > 0 && size < big.size());
}

void nothing_leaks_when_memory_runs_out() {
    auto [a, b] = lipc::pair();
    auto &sender = a, &receiver = b;
    lipc::handle file = null_device();
    std::vector<lipc_handle> files(3, file.native());
    char data[10];
    int before = open_descriptors();
    int failures = 0;
    for (int allowed = 0;; allowed++) {
        allocations_left = allowed;
        try {
            sender.send_files("x", files);
            auto got = receiver.receive_files(data, sizeof data, 3, 1s);
            allocations_left = -1;
            REQUIRE(got->files.size() == 3);
            break;
        } catch (const std::bad_alloc &) {
            allocations_left = -1;
            failures++;
        }
        while (thrown([&] { receiver.read(data, sizeof data, 0ms); }) == std::error_code()) {
        }
        REQUIRE(open_descriptors() == before);
    }
    REQUIRE(failures >= 3 && open_descriptors() == before);
}

} // namespace

void *operator new(std::size_t size) {
    if (allocations_left == 0)
        throw std::bad_alloc();
    if (allocations_left > 0)
        allocations_left--;
    if (void *memory = std::malloc(size == 0 ? 1 : size))
        return memory;
    throw std::bad_alloc();
}

void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

int main(int, char **argv) {
    directory = argv[1];
    struct {
        const char *name;
        void (*function)();
    } tests[] = {
#define TEST(function) {#function, function}
        TEST(numbers_match_the_library),
        TEST(errors_are_portable_codes_and_the_systems_own),
        TEST(names_are_checked_and_round_trip),
        TEST(user_names_are_files_at_their_location),
        TEST(policies_admit_only_the_users_that_they_name),
        TEST(group_is_that_of_the_socket_file),
        TEST(timeouts_run_out),
        TEST(streams_carry_bytes_until_their_end),
        TEST(listener_removes_its_file_and_takes_its_mode),
        TEST(closed_listeners_are_bad_handles),
        TEST(messages_keep_their_boundaries),
        TEST(pipes_go_one_way),
        TEST(handles_have_one_owner),
        TEST(files_arrive_once_and_belong_to_the_receiver),
        TEST(long_pieces_of_a_stream_carry_their_files_once),
        TEST(nothing_leaks_when_memory_runs_out),
    };
    for (auto &test : tests) {
        int before = open_descriptors();
        test.function();
        if (open_descriptors() != before || !std::filesystem::is_empty(directory)) {
            std::fprintf(stderr, "%s left something behind\n", test.name);
            return 1;
        }
        std::printf("ok %s\n", test.name);
    }
    std::printf("%zu tests passed\n", sizeof tests / sizeof *tests);
}
