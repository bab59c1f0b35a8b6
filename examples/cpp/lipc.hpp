// lipc for C++17: handles that close themselves, errors as exceptions, times as std::chrono.
//
// SPDX-License-Identifier: MIT OR Apache-2.0
//
//     lipc::connection server = lipc::connect(lipc::name::user("greeter"), std::chrono::seconds(1));
//     server.write("hello\n");
//
// lipc.h describes each function and its errors, under the name of the C function that it calls. In addition:
//
//  - Errors are thrown as lipc::error, a std::system_error. Its code() is portable, and compares equal to the
//    std::errc that means the same (std::errc::connection_refused). os_code() is the system's own code. End of stream
//    is not an exception, and neither is a try_accept() to which no client came.
//  - A timeout is in milliseconds or coarser. lipc::forever, the default, waits for ever. Zero does not wait.
//  - An object that owns a handle can be moved, not copied. native() returns the handle for the functions of lipc.h.
//  - Nothing leaks when an exception is thrown, not even files that were received.
//
// Left out: batches, vectored reading and writing, peeking, buffer sizes, credentials and control data that travel with
// a message, datagrams, FIFOs, socket activation, pidfds, the options of named pipes, and asynchronous operations. For
// these call the functions of lipc.h with native(). Files are passed only on Unix; for Windows see
// lipc_duplicate_into().
#ifndef LIPC_HPP
#define LIPC_HPP

#include <lipc.h>

#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace lipc {

// ============================================ Errors ==============================================

// The portable codes, such as LIPC_EAGAIN, as a category of std::error_code.
class error_category_type final : public std::error_category {
public:
    const char *name() const noexcept override { return "lipc"; }

    std::string message(int code) const override { return lipc_strerror(result(code)); }

    std::error_condition default_error_condition(int code) const noexcept override {
        switch (code) {
        case LIPC_EAGAIN: return std::errc::resource_unavailable_try_again;
        case LIPC_ETIMEDOUT: return std::errc::timed_out;
        case LIPC_EINVAL: return std::errc::invalid_argument;
        case LIPC_ENAMETOOLONG: return std::errc::filename_too_long;
        case LIPC_ENOENT: return std::errc::no_such_file_or_directory;
        case LIPC_EACCES: return std::errc::permission_denied;
        case LIPC_EADDRINUSE: return std::errc::address_in_use;
        case LIPC_ECONNREFUSED: return std::errc::connection_refused;
        case LIPC_EPIPE: return std::errc::broken_pipe;
        case LIPC_ENOTSUP: return std::errc::not_supported;
        case LIPC_EMFILE: return std::errc::too_many_files_open;
        case LIPC_ENOMEM: return std::errc::not_enough_memory;
        case LIPC_EBADF: return std::errc::bad_file_descriptor;
        case LIPC_ENOTSOCK: return std::errc::not_a_socket;
        case LIPC_ENOTCONN: return std::errc::not_connected;
        case LIPC_EMSGSIZE: return std::errc::message_size;
        case LIPC_EIO: return std::errc::io_error;
        case LIPC_EEXIST: return std::errc::file_exists;
        default: return {code, *this};
        }
    }

    // A result that has this code, without a code of the system.
    static std::int64_t result(int code) noexcept { return -(static_cast<std::int64_t>(code) << LIPC_ERROR_OS_BITS); }
};

inline const std::error_category &error_category() noexcept {
    static const error_category_type category;
    return category;
}

// For comparing: e.code() == lipc::code(LIPC_ETRUNCATED).
inline std::error_code code(lipc_error portable) noexcept { return {static_cast<int>(portable), error_category()}; }

class error : public std::system_error {
public:
    // result is that of a function of lipc.h. what describes the operation.
    error(std::int64_t result, const std::string &what)
        : std::system_error(lipc_error_code(result), error_category(), what), os_code_(lipc_error_os(result)) {}

    // The system's own code, a value of errno or GetLastError(); 0 if it has none.
    int os_code() const noexcept { return os_code_; }

private:
    int os_code_;
};

namespace detail {

template <typename Result> Result check(Result result, const char *what) {
    if (result < 0)
        throw error(result, what);
    return result;
}

} // namespace detail

// ============================================= Time ===============================================

using milliseconds = std::chrono::milliseconds;

inline constexpr milliseconds forever{-1};

namespace detail {

inline int timeout(milliseconds time) noexcept {
    if (time.count() < 0)
        return -1;
    return time.count() < INT_MAX ? static_cast<int>(time.count()) : INT_MAX;
}

// The remaining time of a timeout that began when this object was created.
class deadline {
public:
    explicit deadline(milliseconds time) : time_(timeout(time)), begin_(clock::now()) {}

    // At least 1 ms unless the timeout was zero, so that the error is LIPC_ETIMEDOUT, not LIPC_EAGAIN, when it has run
    // out.
    milliseconds left() const {
        if (time_.count() <= 0)
            return time_;
        milliseconds left = time_ - std::chrono::duration_cast<milliseconds>(clock::now() - begin_);
        return left.count() > 1 ? left : milliseconds(1);
    }

private:
    using clock = std::chrono::steady_clock;
    milliseconds time_;
    clock::time_point begin_;
};

} // namespace detail

// ============================================= Names ==============================================

class name {
public:
    // The name of an unbound socket.
    name() noexcept : name_() {}
    explicit name(const lipc_name &found) noexcept : name_(found) {}

    // A name of the user's own, and one of the machine, see enum lipc_name_type.
    static name user(std::string_view text) { return make(lipc_name_user, text); }
    static name system(std::string_view text) { return make(lipc_name_system, text); }
    static name path(std::string_view text) { return make(lipc_name_path, text); }
    static name namespaced(std::string_view text) { return make(lipc_name_namespaced, text); }
    // Reads "user:x" as the user's name x, "system:x" as the system's, "@x" as the namespaced name x, and any other
    // text as a path.
    static name parse(std::string_view text) { return make(lipc_name_parse, text); }

    // LIPC_NAME_USER or another of enum lipc_name_type, or 0.
    int type() const noexcept { return static_cast<int>(name_.type); }
    std::string_view text() const noexcept { return {name_.text, name_.length}; }

    // In the form that parse() reads.
    std::string string() const { return write(lipc_name_format, "formatting a name"); }

    // The path by which programs that do not use lipc reach the name.
    std::string location() const { return write(lipc_name_location, "locating a name"); }

    const lipc_name *native() const noexcept { return &name_; }

    friend bool operator==(const name &a, const name &b) noexcept {
        return a.type() == b.type() && a.text() == b.text();
    }
    friend bool operator!=(const name &a, const name &b) noexcept { return !(a == b); }

private:
    static name make(int (*function)(const char *, std::size_t, lipc_name *), std::string_view text) {
        name made;
        int r = function(text.data() == nullptr ? "" : text.data(), text.size(), &made.name_);
        if (r < 0)
            throw error(r, "name \"" + std::string(text) + "\"");
        return made;
    }

    std::string write(int (*function)(const lipc_name *, char *, std::size_t), const char *what) const {
        char buffer[LIPC_NAME_CAPACITY + 8];
        int length = detail::check(function(&name_, buffer, sizeof buffer), what);
        return {buffer, static_cast<std::size_t>(length)};
    }

    lipc_name name_;
};

// ============================================ Handles =============================================

// Owns a file descriptor or a HANDLE.
class handle {
public:
    handle() noexcept = default;
    explicit handle(lipc_handle owned) noexcept : handle_(owned) {}
    handle(handle &&other) noexcept : handle_(other.release()) {}
    handle &operator=(handle &&other) noexcept {
        reset(other.release());
        return *this;
    }
    ~handle() { reset(); }

    explicit operator bool() const noexcept { return handle_ != LIPC_INVALID_HANDLE; }

    lipc_handle native() const noexcept { return handle_; }

    // Returns the handle, which then belongs to the caller.
    lipc_handle release() noexcept { return std::exchange(handle_, LIPC_INVALID_HANDLE); }

    // Closes the handle, and owns the new one instead.
    void reset(lipc_handle owned = LIPC_INVALID_HANDLE) noexcept {
        lipc_handle old = std::exchange(handle_, owned);
        if (old != LIPC_INVALID_HANDLE && old != owned)
            lipc_close(old);
    }

    void close() noexcept { reset(); }

    handle duplicate() const {
        lipc_handle copy;
        detail::check(lipc_duplicate(handle_, &copy), "duplicating a handle");
        return handle(copy);
    }

private:
    lipc_handle handle_ = LIPC_INVALID_HANDLE;
};

// ========================================== Connections ===========================================

// A handle to read and write: a connection, or an end of a pipe.
class stream {
public:
    stream() noexcept = default;
    explicit stream(handle &&owned) noexcept : handle_(std::move(owned)) {}

    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
    lipc_handle native() const noexcept { return handle_.native(); }
    handle release() noexcept { return std::move(handle_); }
    void close() noexcept { handle_.close(); }

    // LIPC_STREAM or another of enum lipc_kind.
    int kind() const { return detail::check(lipc_kind(native()), "asking for the kind"); }

    // Reads the bytes that are there. 0 means end of stream.
    std::size_t read(void *data, std::size_t size, milliseconds timeout = forever) {
        return static_cast<std::size_t>(
            detail::check(lipc_read(native(), data, size, detail::timeout(timeout)), "reading"));
    }

    // Reads the bytes that are there, at most that many. An empty string means end of stream.
    std::string read(std::size_t most, milliseconds timeout = forever) {
        std::string data(most, '\0');
        data.resize(read(data.data(), most, timeout));
        return data;
    }

    // Writes as much as it can in that time, and returns how much, see lipc_write().
    std::size_t write_some(const void *data, std::size_t size, milliseconds timeout = forever) {
        return static_cast<std::size_t>(
            detail::check(lipc_write(native(), data, size, detail::timeout(timeout)), "writing"));
    }

    // Writes all of it in that time, or throws. Then it is not known how much was written.
    void write(std::string_view data, milliseconds timeout = forever) {
        detail::deadline deadline(timeout);
        while (!data.empty())
            data.remove_prefix(write_some(data.data(), data.size(), deadline.left()));
    }

private:
    handle handle_;
};

// The identity of a peer. A field is -1 if the system does not report it.
struct credentials {
    std::int64_t pid, uid, gid;
};

// The result of receive_files().
struct received {
    std::size_t size;          // of the payload
    std::vector<handle> files; // close-on-exec
};

// The users that may be at the other end, see lipc_peer_policy: peer_policy{LIPC_PEERS_SAME_USER}.
struct peer_policy {
    int peers = 0;                        // enum lipc_peers
    std::vector<std::uint32_t> uids = {}; // Unix: more users
    std::vector<const char *> sids = {};  // Windows: more users, as security identifiers

    // The policy for the functions of lipc.h, which points into this object.
    lipc_peer_policy native() const noexcept {
        lipc_peer_policy policy = {};
        policy.size = sizeof policy;
        policy.peers = peers;
        policy.uids = uids.data();
        policy.uid_count = uids.size();
        policy.sids = sids.data();
        policy.sid_count = sids.size();
        return policy;
    }
};

class connection : public stream {
public:
    using stream::stream;

    // ---- Messages, for connections of the kind LIPC_MESSAGE.

    // Sends one message: all of it, or nothing.
    void send(std::string_view message, milliseconds timeout = forever) {
        const char *data = message.data() == nullptr ? "" : message.data();
        detail::check(lipc_send(native(), data, message.size(), detail::timeout(timeout)), "sending");
    }

    // Receives one message, and returns its size, or nothing at end of stream. If a message does not fit, the error is
    // LIPC_ETRUNCATED, and data has the beginning of it.
    std::optional<std::size_t> receive(void *data, std::size_t size, milliseconds timeout = forever) {
        std::int64_t r = lipc_receive(native(), data, size, detail::timeout(timeout));
        if (lipc_error_code(r) == LIPC_EEND)
            return std::nullopt;
        return static_cast<std::size_t>(detail::check(r, "receiving"));
    }

    // The same, for messages of at most that size.
    std::optional<std::string> receive(std::size_t most, milliseconds timeout = forever) {
        std::string message(most, '\0');
        std::optional<std::size_t> size = receive(message.data(), most, timeout);
        if (!size)
            return std::nullopt;
        message.resize(*size);
        return message;
    }

    // Returns the size of the next message, without removing it, or nothing at end of stream. Linux and Windows.
    std::optional<std::size_t> message_size(milliseconds timeout = forever) {
        std::int64_t r = lipc_message_size(native(), detail::timeout(timeout));
        if (lipc_error_code(r) == LIPC_EEND)
            return std::nullopt;
        return static_cast<std::size_t>(detail::check(r, "asking for the size of the next message"));
    }

    // ---- Files, on Unix, for streams and messages.

    // Sends files with a message, or with the first byte of data on a stream, and then writes all of data. The files
    // stay the caller's.
    void send_files(std::string_view data, const std::vector<lipc_handle> &files, milliseconds timeout = forever) {
        detail::deadline deadline(timeout);
        lipc_buffer buffer{const_cast<char *>(data.data()), data.size()};
        std::vector<lipc_handle> lent(files);
        lipc_message message = {};
        message.size = sizeof message;
        message.buffers = &buffer;
        message.buffer_count = 1;
        message.handles = lent.data();
        message.handle_count = lent.size();
        std::int64_t sent =
            detail::check(lipc_send_message(native(), &message, detail::timeout(timeout)), "sending files");
        data.remove_prefix(static_cast<std::size_t>(sent));
        if (!data.empty()) // on a stream: the files have gone with the first byte
            write(data, deadline.left());
    }

    // Receives a message and at most that many files. On a stream it receives the bytes that are there, up to those
    // that files came with. Returns nothing at end of stream. If more files came, the error is LIPC_EHANDLES, and none
    // is left open. If the caller asks for more than LIPC_MESSAGE_HANDLES files, the error is LIPC_ETOOMANY.
    std::optional<received> receive_files(void *data, std::size_t size, std::size_t most,
                                          milliseconds timeout = forever) {
        if (most > LIPC_MESSAGE_HANDLES)
            throw error(error_category_type::result(LIPC_ETOOMANY), "receiving files");
        // Allocate all memory before files arrive, so that nothing is thrown while they have no owner.
        std::vector<lipc_handle> raw(most);
        received result{0, std::vector<handle>(most)};
        lipc_buffer buffer{data, size};
        lipc_message message = {};
        message.size = sizeof message;
        message.buffers = &buffer;
        message.buffer_count = 1;
        message.handles = raw.data();
        message.handle_capacity = most;
        std::int64_t r = lipc_receive_message(native(), &message, detail::timeout(timeout));
        if (lipc_error_code(r) == LIPC_EEND)
            return std::nullopt;
        result.size = static_cast<std::size_t>(detail::check(r, "receiving files"));
        for (std::size_t i = 0; i < message.handle_count; i++)
            result.files[i].reset(raw[i]);
        result.files.resize(message.handle_count);
        return result;
    }

    // ---- About the connection.

    credentials peer_credentials() const {
        lipc_credentials peer;
        detail::check(lipc_peer_credentials(native(), &peer), "asking for the peer's credentials");
        return {peer.pid, peer.uid, peer.gid};
    }

    // Throws LIPC_EACCES if the policy does not admit the peer.
    void check_peer(const peer_policy &policy) const {
        lipc_peer_policy native_policy = policy.native();
        detail::check(lipc_peer_check(native(), &native_policy), "checking the peer");
    }

    // direction is LIPC_READ, LIPC_WRITE or both. Not on Windows.
    void shutdown(int direction) { detail::check(lipc_shutdown(native(), direction), "shutting down"); }

    name local_name() const { return ask(lipc_local_name); }
    name peer_name() const { return ask(lipc_peer_name); }

private:
    name ask(int (*function)(lipc_handle, lipc_name *)) const {
        lipc_name found;
        detail::check(function(native(), &found), "asking for a name");
        return name(found);
    }
};

// server is the users that may listen there; without it they are as the type of name has it, see lipc_connect_options.
inline connection connect(const name &to, milliseconds timeout = forever, int kind = LIPC_STREAM,
                          const std::optional<peer_policy> &server = {}) {
    lipc_peer_policy policy = server ? server->native() : lipc_peer_policy();
    lipc_connect_options options = {};
    options.size = sizeof options;
    options.kind = kind;
    options.server = server ? &policy : nullptr;
    lipc_handle made;
    int r = lipc_connect(to.native(), &options, detail::timeout(timeout), &made);
    if (r < 0)
        throw error(r, "connecting to " + to.string());
    return connection(handle(made));
}

// Creates two connections of a kind, each the other's peer.
inline std::pair<connection, connection> pair(int kind = LIPC_STREAM) {
    lipc_handle a, b;
    detail::check(lipc_pair(kind, &a, &b), "making a pair");
    return {connection(handle(a)), connection(handle(b))};
}

// Creates a pipe, and returns its reading end and its writing end.
inline std::pair<stream, stream> pipe() {
    lipc_handle reader, writer;
    detail::check(lipc_pipe(nullptr, &reader, &writer), "making a pipe");
    return {stream(handle(reader)), stream(handle(writer))};
}

// ============================================ Listeners ===========================================

class listener {
public:
    // kind is LIPC_STREAM or LIPC_MESSAGE. 0 stands for the default mode, which lets in only the owner, and for the
    // default backlog, which is as many as the system allows. clients is those that accept() admits, of those that the
    // mode lets connect; without it all of them. group is that of the socket file, on Unix.
    explicit listener(const lipc::name &on, int kind = LIPC_STREAM, std::uint32_t mode = 0, int backlog = 0,
                      const std::optional<peer_policy> &clients = {}, std::optional<std::uint32_t> group = {}) {
        lipc_peer_policy policy = clients ? clients->native() : lipc_peer_policy();
        lipc_listen_options options = {};
        options.size = sizeof options;
        options.kind = kind;
        options.mode = mode;
        options.backlog = backlog;
        options.clients = clients ? &policy : nullptr;
        options.group = group ? &*group : nullptr;
        int r = lipc_listen(on.native(), &options, &listener_);
        if (r < 0)
            throw error(r, "listening on " + on.string());
    }
    listener(listener &&other) noexcept : listener_(std::exchange(other.listener_, nullptr)) {}
    listener &operator=(listener &&other) noexcept {
        if (this != &other) {
            close();
            listener_ = std::exchange(other.listener_, nullptr);
        }
        return *this;
    }
    ~listener() { close(); }

    // Closes the listener, and removes the socket file.
    void close() noexcept { lipc_listener_close(std::exchange(listener_, nullptr)); }

    connection accept(milliseconds timeout = forever) {
        lipc_handle accepted;
        detail::check(lipc_accept(opened(), detail::timeout(timeout), nullptr, &accepted), "accepting");
        return connection(handle(accepted));
    }

    // As accept(), but returns an empty result if no client came in time.
    std::optional<connection> try_accept(milliseconds timeout) {
        lipc_handle accepted;
        int r = lipc_accept(opened(), detail::timeout(timeout), nullptr, &accepted);
        if (lipc_error_code(r) == LIPC_ETIMEDOUT || lipc_error_code(r) == LIPC_EAGAIN)
            return std::nullopt;
        detail::check(r, "accepting");
        return connection(handle(accepted));
    }

    lipc::name name() const {
        lipc_name found;
        lipc_listener_name(opened(), &found);
        return lipc::name(found);
    }

    // Null after the listener was closed or moved. The functions above then throw LIPC_EBADF.
    lipc_listener *native() const noexcept { return listener_; }

private:
    lipc_listener *opened() const {
        if (listener_ == nullptr)
            throw error(error_category_type::result(LIPC_EBADF), "using a closed listener");
        return listener_;
    }

    lipc_listener *listener_ = nullptr;
};

} // namespace lipc

#endif // LIPC_HPP
