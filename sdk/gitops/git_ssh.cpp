#include "git_ssh.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "git_http.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

struct FreeKnownHosts {
    void operator()(LIBSSH2_KNOWNHOSTS* hosts) const { libssh2_knownhost_free(hosts); }
};
using KnownHosts = std::unique_ptr<LIBSSH2_KNOWNHOSTS, FreeKnownHosts>;

// The two words of a known_hosts line after the names.
struct KnownKey {
    std::string type;
    std::string base64;
};

struct Known {
    KnownHosts hosts;
    std::vector<KnownKey> keys;
};

Error bad_known_hosts(std::size_t line, const std::string& why) {
    return {ErrorKind::Invalid,
            "known_hosts of the secret, line " + std::to_string(line) + ": " + why};
}

Result<Known> read_known_hosts(LIBSSH2_SESSION* session, const std::string& text) {
    Known known;
    known.hosts.reset(libssh2_knownhost_init(session));
    if (!known.hosts) return Error{ErrorKind::Internal, "cannot read known_hosts: out of memory"};
    std::istringstream lines(text);
    std::string line;
    for (std::size_t number = 1; std::getline(lines, line); ++number) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        const auto first = line.find_first_not_of(" \t");
        if (first == std::string::npos || line[first] == '#') continue;
        // To skip @revoked would be to trust a key that is not to be trusted.
        if (line[first] == '@')
            return bad_known_hosts(number, "markers (@cert-authority, @revoked) are not supported");
        std::istringstream words(line);
        std::string names;
        KnownKey key;
        words >> names >> key.type >> key.base64;
        if (key.base64.empty() ||
            libssh2_knownhost_readline(known.hosts.get(), line.data(), line.size(),
                                       LIBSSH2_KNOWNHOST_FILE_OPENSSH) != 0)
            return bad_known_hosts(number, "it is not 'names type key'");
        known.keys.push_back(std::move(key));
    }
    if (!known.keys.empty()) return known;
    return Error{ErrorKind::Invalid,
                 "the secret has no known_hosts, so the server's key cannot be checked; add the "
                 "lines of ssh-keyscan after comparing them with the forge's published keys"};
}

// Key types that the host is known by, for the key exchange to ask for: a server has several keys
// and would else show one that is not in the list.
std::string known_types(const Known& known, const GitAddress& address) {
    std::string types;
    for (const auto& key : known.keys) {
        const int verdict = libssh2_knownhost_checkp(
            known.hosts.get(), address.host.c_str(), address.port, key.base64.c_str(),
            key.base64.size(), LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_BASE64,
            nullptr);
        if (verdict != LIBSSH2_KNOWNHOST_CHECK_MATCH || types.find(key.type) != std::string::npos)
            continue;
        types += (types.empty() ? "" : ",") + key.type;
    }
    return types;
}

bool holds(const std::string& text, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

}  // namespace

Result<SshCommand> SshCommand::start(const Call& call, const GitAddress& address,
                                     const Credentials& credentials, const std::string& service) {
    if (credentials.ssh_identity.empty())
        return Error{ErrorKind::Unauthorized,
                     "the secret has no SSH key (identity) for " + address.display()};
    auto socket = call.dial(address.host, address.port, credentials.proxy);
    if (!socket) return context(socket.error(), "cannot connect to " + address.host_and_port());
    SshCommand command(call, address, std::move(*socket));
    auto opened = command.open(address, credentials, service);
    if (!opened) return context(opened.error(), "SSH to " + address.display());
    return command;
}

SshCommand::~SshCommand() {
    // With the socket shut down, freeing cannot wait for the other side's farewell.
    if (session_) (void)::shutdown(socket_.fd(), SHUT_RDWR);
}

template <class Attempt>
Result<long> SshCommand::persist(Attempt attempt) {
    while (true) {
        if (auto stop = waiting_.over()) return *stop;
        const long answer = attempt();
        if (answer != LIBSSH2_ERROR_EAGAIN) return answer;
        const int directions = libssh2_session_block_directions(session_.get());
        const bool outbound = (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0;
        const bool inbound = (directions & LIBSSH2_SESSION_BLOCK_INBOUND) != 0;
        const int events = (outbound ? POLLOUT : 0) | (inbound || !outbound ? POLLIN : 0);
        if (auto ready = waiting_.for_socket(socket_.fd(), static_cast<short>(events)); !ready)
            return ready.error();
    }
}

std::string SshCommand::reason() const {
    char* text = nullptr;
    int size = 0;
    (void)libssh2_session_last_error(session_.get(), &text, &size, 0);
    if (text == nullptr) return "unknown reason";
    return printable({text, static_cast<std::size_t>(size)});
}

Result<void> SshCommand::open(const GitAddress& address, const Credentials& credentials,
                              const std::string& service) {
    const int flags = ::fcntl(socket_.fd(), F_GETFL, 0);
    if (flags < 0 || ::fcntl(socket_.fd(), F_SETFL, flags | O_NONBLOCK) < 0)
        return Error{ErrorKind::Internal, "cannot make the socket non-blocking"};
    session_.reset(libssh2_session_init());
    if (!session_) return Error{ErrorKind::Internal, "cannot set up SSH: out of memory"};
    libssh2_session_set_blocking(session_.get(), 0);
    if (auto checked = check_host(address, credentials); !checked) return checked;
    if (auto in = log_in(address, credentials); !in) return in;
    // The path holds no quote: parse_git_address sees to that.
    return run(service + " '" + address.path + "'");
}

Result<void> SshCommand::check_host(const GitAddress& address, const Credentials& credentials) {
    auto known = read_known_hosts(session_.get(), credentials.known_hosts);
    if (!known) return known.error();
    const std::string types = known_types(*known, address);
    if (types.empty())
        return Error{ErrorKind::Unauthorized,
                     "known_hosts of the secret has no key for " + address.host_and_port()};
    if (libssh2_session_method_pref(session_.get(), LIBSSH2_METHOD_HOSTKEY, types.c_str()) != 0)
        return Error{ErrorKind::Invalid,
                     "none of the known key types is supported: " + printable(types)};
    const auto shaken =
        persist([&] { return libssh2_session_handshake(session_.get(), socket_.fd()); });
    if (!shaken) return shaken.error();
    if (*shaken != 0)
        return Error{ErrorKind::Transient, "no agreement on a connection: " + reason()};
    std::size_t size = 0;
    int type = 0;
    const char* key = libssh2_session_hostkey(session_.get(), &size, &type);
    const int verdict =
        key == nullptr ? LIBSSH2_KNOWNHOST_CHECK_FAILURE
                       : libssh2_knownhost_checkp(
                             known->hosts.get(), address.host.c_str(), address.port, key, size,
                             LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW, nullptr);
    if (verdict == LIBSSH2_KNOWNHOST_CHECK_MATCH) return {};
    return Error{ErrorKind::Unauthorized,
                 "the server's key is not the one in known_hosts; nothing was sent to it. If the "
                 "forge has published a new key, update the secret"};
}

namespace {

// libssh2 wants text terminated by a zero byte; a Secret's bytes are not.
Secret terminated(const Secret& secret) {
    std::string copy(secret.reveal());
    Secret with_end(std::string_view(copy.c_str(), copy.size() + 1));
    OPENSSL_cleanse(copy.data(), copy.size());
    return with_end;
}

}  // namespace

Result<void> SshCommand::log_in(const GitAddress& address, const Credentials& credentials) {
    std::string user = address.user;
    if (user.empty()) user = credentials.username;
    if (user.empty()) user = "git";
    const Secret passphrase = terminated(credentials.ssh_passphrase);
    // Its length is told as well, and libssh2 1.10 measures it all the same.
    const Secret identity = terminated(credentials.ssh_identity);
    const auto key = identity.reveal().substr(0, credentials.ssh_identity.size());
    const auto answer = persist([&] {
        return libssh2_userauth_publickey_frommemory(session_.get(), user.c_str(), user.size(),
                                                     nullptr, 0, key.data(), key.size(),
                                                     passphrase.reveal().data());
    });
    if (!answer) return answer.error();
    if (*answer == 0) return {};
    if (*answer == LIBSSH2_ERROR_SOCKET_DISCONNECT || *answer == LIBSSH2_ERROR_SOCKET_RECV ||
        *answer == LIBSSH2_ERROR_SOCKET_SEND)
        return Error{ErrorKind::Transient, "the connection broke during authentication"};
    return Error{ErrorKind::Unauthorized,
                 "the server does not take the secret's key for user " + user + " (" + reason() +
                     "); servers refuse RSA keys here (SHA-1): use ed25519 or ECDSA"};
}

Result<void> SshCommand::run(const std::string& command) {
    const auto opened = persist([&]() -> long {
        channel_.reset(libssh2_channel_open_session(session_.get()));
        return channel_ ? 0 : libssh2_session_last_errno(session_.get());
    });
    if (!opened) return opened.error();
    if (!channel_) return Error{ErrorKind::Transient, "no channel: " + reason()};
    const auto started =
        persist([&] { return libssh2_channel_exec(channel_.get(), command.c_str()); });
    if (!started) return started.error();
    if (*started != 0)
        return Error{ErrorKind::Unauthorized, "the server does not run git for us: " + reason()};
    return {};
}

Result<void> SshCommand::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = persist(
            [&] { return libssh2_channel_write(channel_.get(), bytes.data(), bytes.size()); });
        if (!sent) return sent.error();
        if (*sent < 0) return ended_badly();
        bytes.remove_prefix(static_cast<std::size_t>(*sent));
    }
    return {};
}

Result<std::size_t> SshCommand::read(char* into, std::size_t size) {
    const auto got = persist([&] { return libssh2_channel_read(channel_.get(), into, size); });
    if (!got) return got.error();
    // 0 is the end of this stream. libssh2_channel_eof() would deny it while there is something on
    // the error stream.
    if (*got < 0 || (*got == 0 && !read_any_)) return ended_badly();
    read_any_ = true;
    return static_cast<std::size_t>(*got);
}

// What the command said on its error stream tells why; forges differ in their words.
Error SshCommand::ended_badly() {
    std::string words;
    char piece[1024];
    while (words.size() < 4096) {
        const auto got = persist(
            [&] { return libssh2_channel_read_stderr(channel_.get(), piece, sizeof piece); });
        if (!got || *got <= 0) break;
        words.append(piece, static_cast<std::size_t>(*got));
    }
    const std::string said = words.empty() ? "it ended without a word" : printable(words);
    if (holds(said, {"not found", "not appear to be a git", "does not exist", "No such"}))
        return {ErrorKind::NotFound, where_ + ": the server says: " + said};
    if (holds(said, {"denied", "ermission", "not authorized", "forbidden", "read only"}))
        return {ErrorKind::Unauthorized, where_ + ": the server says: " + said};
    if (auto stop = waiting_.over()) return *stop;
    return {ErrorKind::Transient, where_ + ": the connection ended; the server says: " + said};
}

}  // namespace promotiond::sdk::inline v1::gitops
