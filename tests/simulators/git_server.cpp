#include "git_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

namespace promotiond::simulators {
namespace {

void add_extension(X509* certificate, int id, const char* value) {
    X509V3_CTX scope;
    X509V3_set_ctx_nodb(&scope);
    X509V3_set_ctx(&scope, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &scope, id, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

// A key and a certificate signed by itself, put into the context; the certificate as PEM.
std::string make_identity(SSL_CTX* context) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio, &text);
    std::string pem(text, static_cast<std::size_t>(size));
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return pem;
}

std::string base64(const std::string& plain) {
    std::string text(4 * ((plain.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(plain.data()),
                                     static_cast<int>(plain.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

struct Request {
    std::string method;
    std::string target;
    std::map<std::string, std::string> fields;  // names in lower case
    std::string body;
};

// The program's answer with the request's body as its input, both by files without names.
std::string run_backend(const std::filesystem::path& repositories, const Request& request) {
    const auto question = request.target.find('?');
    const auto field = [&](const std::string& name) {
        const auto found = request.fields.find(name);
        return found == request.fields.end() ? std::string() : found->second;
    };
    std::vector<std::string> environment = {
        "PATH=/usr/bin:/bin",
        "HOME=/nonexistent",
        "GIT_CONFIG_NOSYSTEM=1",
        "GIT_CONFIG_COUNT=1",
        "GIT_CONFIG_KEY_0=safe.directory",
        "GIT_CONFIG_VALUE_0=*",
        "GIT_HTTP_EXPORT_ALL=1",
        "REMOTE_USER=test",
        "REMOTE_ADDR=127.0.0.1",
        "GIT_PROJECT_ROOT=" + repositories.native(),
        "REQUEST_METHOD=" + request.method,
        "PATH_INFO=" + request.target.substr(0, question),
        "QUERY_STRING=" +
            (question == std::string::npos ? std::string() : request.target.substr(question + 1)),
        "CONTENT_TYPE=" + field("content-type"),
        "CONTENT_LENGTH=" + std::to_string(request.body.size())};
    std::vector<char*> words;
    for (auto& entry : environment) words.push_back(entry.data());
    words.push_back(nullptr);

    std::FILE* input = std::tmpfile();
    std::FILE* output = std::tmpfile();
    std::fwrite(request.body.data(), 1, request.body.size(), input);
    std::fflush(input);
    std::rewind(input);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ::fileno(input), 0);
    posix_spawn_file_actions_adddup2(&actions, ::fileno(output), 1);
    std::string program = "/usr/lib/git-core/git-http-backend";
    char* arguments[] = {program.data(), nullptr};
    pid_t child = 0;
    std::string answer;
    if (::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, words.data()) == 0) {
        ::waitpid(child, nullptr, 0);
        std::rewind(output);
        char piece[65536];
        for (std::size_t got = 1; got > 0;) {
            got = std::fread(piece, 1, sizeof piece, output);
            answer.append(piece, got);
        }
    }
    posix_spawn_file_actions_destroy(&actions);
    std::fclose(input);
    std::fclose(output);
    return answer;
}

}  // namespace

// One connection's TLS and HTTP; false or empty = the other side has gone.
class GitServer::Connection {
public:
    Connection(SSL_CTX* tls, int fd) : ssl_(SSL_new(tls)) {
        SSL_set_fd(ssl_, fd);
        good_ = SSL_accept(ssl_) == 1;
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { SSL_free(ssl_); }

    bool receive(Request& request) {
        std::string line;
        if (!good_ || !take_line(line)) return false;
        request.method = line.substr(0, line.find(' '));
        request.target = line.substr(request.method.size() + 1);
        request.target.resize(request.target.find(' '));
        while (take_line(line) && !line.empty()) {
            const auto colon = line.find(':');
            std::string name = line.substr(0, colon);
            for (char& c : name) c = static_cast<char>(std::tolower(c));
            request.fields[name] = line.substr(colon + 2);
        }
        if (request.fields.count("transfer-encoding") != 0) return take_chunks(request.body);
        const auto length = request.fields.find("content-length");
        return length == request.fields.end() || take(request.body, std::stoul(length->second));
    }
    void send(const std::string& bytes) {
        for (std::size_t sent = 0; good_ && sent < bytes.size();) {
            const int count =
                SSL_write(ssl_, bytes.data() + sent, static_cast<int>(bytes.size() - sent));
            good_ = count > 0;
            if (good_) sent += static_cast<std::size_t>(count);
        }
    }

private:
    bool fill() {
        char piece[16384];
        const int got = SSL_read(ssl_, piece, sizeof piece);
        if (got > 0) received_.append(piece, static_cast<std::size_t>(got));
        return got > 0;
    }
    bool take_line(std::string& line) {
        std::size_t end = 0;
        while ((end = received_.find("\r\n")) == std::string::npos)
            if (!fill()) return false;
        line = received_.substr(0, end);
        received_.erase(0, end + 2);
        return true;
    }
    bool take(std::string& into, std::size_t size) {
        while (received_.size() < size)
            if (!fill()) return false;
        into += received_.substr(0, size);
        received_.erase(0, size);
        return true;
    }
    bool take_chunks(std::string& into) {
        std::string line;
        while (take_line(line)) {
            const std::size_t size = std::stoul(line, nullptr, 16);
            if (!take(into, size) || !take_line(line)) return false;
            if (size == 0) return true;
        }
        return false;
    }

    SSL* ssl_;
    bool good_ = false;
    std::string received_;
};

GitServer::GitServer(std::filesystem::path repositories) : repositories_(std::move(repositories)) {
    ::signal(SIGPIPE, SIG_IGN);  // clients hang up on purpose
    auto* tls = SSL_CTX_new(TLS_server_method());
    tls_ = tls;
    ca_pem_ = make_identity(tls);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw std::runtime_error("cannot listen on loopback");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { accept_all(); });
}

GitServer::~GitServer() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    changed_.notify_all();
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    workers_.clear();  // joins
    ::close(listener_);
    SSL_CTX_free(static_cast<SSL_CTX*>(tls_));
}

void GitServer::accept_all() {
    while (true) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        const std::lock_guard lock(mutex_);
        if (fd < 0 || stopping_) {
            if (fd >= 0) ::close(fd);
            return;
        }
        open_.push_back(fd);
        workers_.emplace_back([this, fd] { serve(fd); });
    }
}

std::string GitServer::url(const std::string& repository) const {
    return "https://localhost:" + std::to_string(port_) + "/" + repository;
}

void GitServer::require(const std::string& user, const std::string& password) {
    const std::lock_guard lock(mutex_);
    authorization_ = "Basic " + base64(user + ":" + password);
}

void GitServer::require_bearer(const std::string& token) {
    const std::lock_guard lock(mutex_);
    authorization_ = "Bearer " + token;
}

void GitServer::set_fault(GitFault fault) {
    const std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
}

std::vector<std::string> GitServer::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

void GitServer::wait_until_silent() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return silent_ > 0; });
}

void GitServer::serve(int fd) {
    {
        Connection connection(static_cast<SSL_CTX*>(tls_), fd);
        Request request;
        while (connection.receive(request)) {
            GitFault fault;
            bool authorized = true;
            {
                std::unique_lock lock(mutex_);
                requests_.push_back(request.method + " " + request.target);
                const bool hit = !fault_.target.empty() &&
                                 request.target.find(fault_.target) != std::string::npos;
                if (hit) fault = fault_;
                authorized =
                    authorization_.empty() || request.fields["authorization"] == authorization_;
                if (fault.silent) {
                    ++silent_;
                    changed_.notify_all();
                    changed_.wait(lock, [this] { return stopping_; });
                    break;
                }
            }
            const int status = !authorized ? 401 : fault.status;
            if (status != 0) {
                connection.send("HTTP/1.1 " + std::to_string(status) + " Fault\r\n" + fault.fields +
                                "Content-Length: 0\r\n\r\n");
                request = {};
                continue;
            }
            const std::string answer =
                fault.take_effect ? run_backend(repositories_, request) : std::string("\r\n\r\n");
            const auto end = answer.find("\r\n\r\n");
            if (end == std::string::npos) break;
            std::string head = answer.substr(0, end + 2);
            std::string body = answer.substr(end + 4);
            std::string first = "200 OK";
            if (head.rfind("Status: ", 0) == 0) first = head.substr(8, head.find("\r\n") - 8);
            connection.send("HTTP/1.1 " + first + "\r\n" + head +
                            "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                            body.substr(0, fault.cut_after < 0
                                               ? body.size()
                                               : static_cast<std::size_t>(fault.cut_after)));
            if (fault.cut_after >= 0) break;
            request = {};
        }
    }
    const std::lock_guard lock(mutex_);
    open_.erase(std::remove(open_.begin(), open_.end(), fd), open_.end());
    ::shutdown(fd, SHUT_RDWR);
    ::close(fd);
}

}  // namespace promotiond::simulators
