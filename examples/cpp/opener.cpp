// Opens files for others: a server that passes open files, and a client that reads the files it is passed.
//
//     c++ -std=c++17 opener.cpp $(pkg-config --cflags --libs lipc) -o opener
//     ./opener serve NAME DIR     open files in DIR for clients, until interrupted
//     ./opener read NAME FILE     ask for FILE, and print what is in it
//
// NAME is "user:opener", say, which only you can reach.
//
// The client sends "FILE\n". The server answers "here it is\n" with the file, or "cannot open it: WHY\n" without one.
// On Windows no handle travels with a payload. There the server gives the client's process a handle, and sends its
// number: "here it is: NUMBER\n". The server opens only regular files by plain names: no paths, no symbolic links.
//
// It serves one connection at a time, and closes the connection of a client that sends nothing for long.
#include "lipc.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <stdexcept>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <fcntl.h>
#include <io.h>

#include <lipc_windows.h>
#else
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace {

using namespace std::chrono_literals;
constexpr lipc::milliseconds patience = 5s; // the longest wait for the peer
constexpr lipc::milliseconds look = 100ms;  // how often to check for a signal, which does not end a wait

volatile std::sig_atomic_t stopped;

// The reason why a file is refused, which the client receives.
struct refusal : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct answer {
    std::string text;
    lipc::handle file;
};

// ================================= What differs between systems ==================================

#ifdef _WIN32

constexpr std::string_view separators = "\\/:";

lipc::handle open_regular(const std::filesystem::path &path) {
    lipc::handle file(reinterpret_cast<lipc_handle>(
        CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                    OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, nullptr)));
    if (!file)
        throw refusal(std::system_category().message(static_cast<int>(GetLastError())));
    auto native = reinterpret_cast<HANDLE>(file.native());
    BY_HANDLE_FILE_INFORMATION about;
    if (GetFileType(native) != FILE_TYPE_DISK || !GetFileInformationByHandle(native, &about) ||
        (about.dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) != 0)
        throw refusal("not a regular file"); // "nul" is a device in any directory
    return file;
}

void answer_with_file(lipc::connection &client, const lipc::handle &file) {
    auto process = static_cast<std::uint32_t>(client.peer_credentials().pid);
    lipc_handle number;
    if (int r = lipc_duplicate_into(file.native(), process, &number); r < 0)
        throw lipc::error(r, "giving the client a handle");
    client.write("here it is: " + std::to_string(number) + "\n", patience);
}

bool receive_piece(lipc::connection &server, answer &to) {
    std::string piece = server.read(1024, patience);
    to.text += piece;
    constexpr std::string_view mark = "here it is: ";
    if (to.text.size() > mark.size() && to.text.compare(0, mark.size(), mark) == 0 && to.text.back() == '\n') {
        to.file.reset(std::strtoll(to.text.c_str() + mark.size(), nullptr, 10)); // the client trusts the server
        to.text = "here it is\n";
    }
    return !piece.empty();
}

std::size_t read_file(const lipc::handle &file, char *data, std::size_t size) {
    DWORD length;
    if (!ReadFile(reinterpret_cast<HANDLE>(file.native()), data, static_cast<DWORD>(size), &length, nullptr))
        throw std::system_error(static_cast<int>(GetLastError()), std::system_category(), "reading the file");
    return length;
}

void print_bytes_as_they_are() { _setmode(_fileno(stdout), _O_BINARY); }

#else

constexpr std::string_view separators = "/";

lipc::handle open_regular(const std::filesystem::path &path) {
    // O_NONBLOCK, so that a FIFO does not wait for its writer
    int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        throw refusal(errno == ELOOP ? "not a regular file" : std::strerror(errno));
    lipc::handle file(fd);
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        throw refusal("not a regular file");
    return file;
}

void answer_with_file(lipc::connection &client, const lipc::handle &file) {
    client.send_files("here it is\n", {file.native()}, patience);
}

// Receives more of the answer. Returns false at end of stream.
bool receive_piece(lipc::connection &server, answer &to) {
    char data[1024];
    auto piece = server.receive_files(data, sizeof data, 1, patience);
    if (!piece)
        return false;
    to.text.append(data, piece->size);
    if (!piece->files.empty())
        to.file = std::move(piece->files[0]);
    return true;
}

std::size_t read_file(const lipc::handle &file, char *data, std::size_t size) {
    for (;;) {
        ssize_t length = read(static_cast<int>(file.native()), data, size);
        if (length >= 0)
            return static_cast<std::size_t>(length);
        if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "reading the file");
    }
}

void print_bytes_as_they_are() {}

#endif

// ========================================== The server ===========================================

void answer_request(lipc::connection &client, const std::filesystem::path &dir, const std::string &file) {
    lipc::handle opened;
    try {
        if (file.empty() || file == "." || file == ".." || file.find_first_of(separators) != file.npos ||
            file.find('\0') != file.npos)
            throw refusal("only plain names are opened");
        opened = open_regular(dir / std::filesystem::u8path(file));
    } catch (const refusal &e) {
        client.write(std::string("cannot open it: ") + e.what() + "\n", patience);
        return;
    }
    std::cout << "passing " << file << std::endl;
    answer_with_file(client, opened);
}

// Reads the bytes that are there, and checks for a signal while it waits. Returns an empty text at end of stream.
std::string read_unless_stopped(lipc::connection &client) {
    for (auto waited = 0ms; !stopped; waited += look) {
        try {
            return client.read(4096, look);
        } catch (const lipc::error &e) {
            if (e.code() != std::errc::timed_out || waited >= patience)
                throw;
        }
    }
    return {};
}

void serve_connection(lipc::connection client, const std::filesystem::path &dir) {
    std::string requests;
    for (;;) {
        std::string piece = read_unless_stopped(client);
        if (piece.empty())
            return;
        requests += piece;
        for (std::size_t end; (end = requests.find('\n')) != requests.npos; requests.erase(0, end + 1))
            answer_request(client, dir, requests.substr(0, end));
        if (requests.size() > 4096) {
            client.write("cannot open it: the name is too long\n", patience);
            return;
        }
    }
}

void stop(int) { stopped = 1; }

void serve(const lipc::name &name, const std::filesystem::path &dir) {
    if (!std::filesystem::is_directory(dir))
        throw std::runtime_error(dir.u8string() + ": no such directory");
    lipc::listener listener(name);
    std::signal(SIGINT, stop);
    std::signal(SIGTERM, stop);
    std::cout << "listening on " << name.string() << std::endl;
    while (!stopped) {
        auto client = listener.try_accept(look);
        if (!client)
            continue;
        try {
            serve_connection(std::move(*client), dir);
        } catch (const std::exception &e) {
            std::cerr << "opener: a client: " << e.what() << std::endl;
        }
    }
}

// ========================================== The client ===========================================

void read_from(const lipc::name &name, const std::string &file) {
    if (file.find('\n') != file.npos)
        throw std::runtime_error("a name with a line break cannot be asked for");
    lipc::connection server = lipc::connect(name, patience);
    server.write(file + "\n", patience);
    answer got;
    while (got.text.empty() || got.text.back() != '\n') {
        if (got.text.size() > 4096)
            throw std::runtime_error("the answer is too long");
        if (!receive_piece(server, got))
            throw std::runtime_error("the opener closed the connection");
    }
    std::cout << "the opener says: " << got.text << std::flush;
    if (!got.file)
        throw std::runtime_error("no file came");
    char data[65536];
    while (std::size_t size = read_file(got.file, data, sizeof data))
        std::cout.write(data, static_cast<std::streamsize>(size));
    if (!std::cout.flush())
        throw std::runtime_error("the output cannot be written");
}

} // namespace

int main(int argc, char **argv) {
    try {
        if (argc != 4)
            throw std::runtime_error("usage: opener serve NAME DIR | opener read NAME FILE");
        print_bytes_as_they_are();
        lipc::name name = lipc::name::parse(argv[2]);
        std::string command = argv[1];
        if (command == "serve")
            serve(name, argv[3]);
        else if (command == "read")
            read_from(name, argv[3]);
        else
            throw std::runtime_error("no such command: " + command);
    } catch (const std::exception &e) {
        std::cerr << "opener: " << e.what() << std::endl;
        return 1;
    }
}
