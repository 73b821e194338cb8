#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>

#include "base/guarded.hpp"
#include "base/log.hpp"
#include "platform/file_read.hpp"
#include "platform/local.hpp"
#include "platform/secret_keys.hpp"

namespace promotiond::platform {

namespace {

constexpr std::size_t kMostCached = 4096;

// A name is one path component; a dot in front would reach the kubelet's own folders and "..".
bool is_safe(const std::string& name) {
    if (name.empty() || name.size() > 253 || name.front() == '.') return false;
    return std::none_of(name.begin(), name.end(), [](char c) {
        return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    });
}

// systemd hands a folder of credentials over as files of one:
// LoadCredential=secrets:/etc/.../secrets makes secrets_<namespace>_<name>_<key> of
// <namespace>/<name>/<key>. Empty where two secrets could share that name; Kubernetes allows no
// underscore in the first two.
std::string credential_of(const std::string& ns, const std::string& name, const std::string& key) {
    if ((ns + name).find('_') != std::string::npos) return {};
    return "secrets_" + ns + "_" + name + "_" + key;
}

struct Kept {
    FileState state;
    Secret value;
};

class LocalSecrets final : public SecretStore {
public:
    explicit LocalSecrets(std::filesystem::path directory)
        : directory_(std::move(directory)), text_(directory_.string() + "/") {}

    Result<Secret> get(const std::string& ns, const std::string& name,
                       const std::string& key) override {
        for (const auto& [what, text] :
             {std::pair{"namespace", &ns}, {"secret's name", &name}, {"key", &key}}) {
            if (is_safe(*text)) continue;
            return Error{ErrorKind::Invalid,
                         std::string("the ") + what +
                             " must be one to 253 characters without '/', '\\', control characters "
                             "and a dot in front"};
        }
        std::string path = text_ + ns + '/' + name + '/' + key;
        if (auto kept = cached(path)) return std::move(*kept);
        const std::string credential = credential_of(ns, name, key);
        if (auto kept = cached(text_ + credential)) return std::move(*kept);
        auto read = read_anew(ns, name, key);
        if (!read && read.error().kind == ErrorKind::NotFound && !credential.empty()) {
            if (auto handed = read_credential(credential)) {
                read = std::move(handed);
                path = text_ + credential;
            }
        }
        if (!read) return std::move(read).error();
        if (read->others_may_read) warn_once(path);
        if (!is_public_key(key)) log::redact(read->bytes);
        Secret value{read->bytes};
        std::fill(read->bytes.begin(), read->bytes.end(), '\0');
        keep(path, read->state, value);
        return value;
    }

private:
    // The very file that was opened safely before, unchanged: then its value is, too. One system
    // call for each event that is verified.
    std::optional<Secret> cached(const std::string& path) {
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0) return std::nullopt;
        auto kept = kept_.access();
        const auto found = kept->find(path);
        if (found == kept->end() || found->second.state != state_of(status)) return std::nullopt;
        return found->second.value.duplicate();
    }

    void keep(const std::string& path, const FileState& state, const Secret& value) {
        auto kept = kept_.access();
        kept->erase(path);
        if (!settled(state)) return;
        if (kept->size() >= kMostCached) kept->clear();
        kept->emplace(path, Kept{state, value.duplicate()});
    }

    [[nodiscard]] Result<FileRead> read_anew(const std::string& ns, const std::string& name,
                                             const std::string& key) const {
        const std::string secret = "secret " + ns + "/" + name;
        const auto explain = [&](Error error, const std::string& what) {
            error.message = what + " " + error.message;
            return error;
        };
        const std::string place = " (" + (directory_ / ns / name).string() + ")";
        // The directory itself may be a link: its place is the operator's choice.
        const FileHandle root(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (root.fd() < 0) {
            return Error{ErrorKind::Transient, "the directory of secrets " + directory_.string() +
                                                   " cannot be opened; create it or give "
                                                   "permission"};
        }
        auto space = open_directory(root.fd(), ns);
        if (!space) return explain(std::move(space).error(), secret + place);
        auto folder = open_directory(space->fd(), name);
        if (!folder) return explain(std::move(folder).error(), secret + place);
        auto file = read_file(folder->fd(), key);
        if (!file) return explain(std::move(file).error(), "key " + key + " of " + secret + place);
        if (file->bytes.empty()) {
            return Error{ErrorKind::NotFound,
                         "key " + key + " of " + secret + place + " is empty; write its value"};
        }
        return file;
    }

    [[nodiscard]] Result<FileRead> read_credential(const std::string& credential) const {
        const FileHandle root(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (root.fd() < 0) return Error{ErrorKind::NotFound, "does not exist"};
        auto file = read_file(root.fd(), credential);
        if (file && file->bytes.empty()) return Error{ErrorKind::NotFound, "is empty"};
        return file;
    }

    void warn_once(const std::string& path) {
        if (!warned_.access()->insert(path).second) return;
        log::warn("PROMO-5001", "other users may read a secret; take the permission away",
                  {{"file", path}});
    }

    const std::filesystem::path directory_;
    const std::string text_;  // the directory's, up to where the namespace begins
    // By the files' names as text: a path is taken apart to be made and to be compared, which costs
    // more than the rest of what is done here for each event.
    Guarded<std::unordered_map<std::string, Kept>> kept_;
    Guarded<std::set<std::string>> warned_;
};

}  // namespace

std::unique_ptr<SecretStore> local_secrets(std::filesystem::path directory) {
    return std::make_unique<LocalSecrets>(std::move(directory));
}

}  // namespace promotiond::platform
