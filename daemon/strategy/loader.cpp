#include "strategy/loader.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <sstream>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include "strategy/answer.hpp"
#include "strategy/host.hpp"

namespace promotiond::strategy {

namespace {

constexpr std::size_t kMaxTextBytes = 1024;
constexpr std::size_t kMaxSchemaBytes = 1u << 20;
constexpr std::size_t kMaxNameBytes = 64;

Error broken(const std::string& why) { return {ErrorKind::Invalid, why}; }

std::string spoken() { return "1." + std::to_string(PROMOTIOND_ABI_MINOR); }

// dlerror speaks of the descriptor; people want the file.
std::string with_path(std::string text, const std::string& from, const std::string& to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

// What an ELF file runs on (elf(5)).
struct Machine {
    unsigned char word = ELFCLASSNONE;
    unsigned char order = ELFDATANONE;
    Elf64_Half code = EM_NONE;

    bool operator==(const Machine&) const = default;
};

// Nothing for a file that is no ELF file.
std::optional<Machine> machine_of(int fd) {
    Elf64_Ehdr header{};  // up to the code of the machine it is the same for every class
    if (::pread(fd, &header, sizeof header, 0) < static_cast<ssize_t>(sizeof(Elf32_Ehdr)))
        return {};
    if (std::memcmp(&header.e_ident, ELFMAG, SELFMAG) != 0) return {};
    return Machine{header.e_ident[EI_CLASS], header.e_ident[EI_DATA], header.e_machine};
}

std::optional<Machine> machine_of_this_program() {
    const int fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    const auto machine = machine_of(fd);
    ::close(fd);
    return machine;
}

std::string name_of(const Machine& machine) {
    const std::string word = machine.word == ELFCLASS32 ? ", 32 bit" : "";
    switch (machine.code) {
        case EM_X86_64: return "x86-64" + word;
        case EM_AARCH64: return "arm64" + word;
        case EM_386: return "x86" + word;
        case EM_ARM: return "arm" + word;
        default: return "ELF machine " + std::to_string(machine.code) + word;
    }
}

// The dynamic linker passes over a library of another machine, and says that there is no such file.
Result<void> check_machine(const VettedFile& file) {
    static const auto ours = machine_of_this_program();
    const auto its = machine_of(file.fd);
    if (!ours || !its || *its == *ours) return {};
    return broken(file.path.string() + ": is built for " + name_of(*its) +
                  ", this promotiond for " + name_of(*ours) +
                  "; install the package for this architecture, or rebuild it");
}

Result<std::string> take(promotiond_view view, std::string_view what, std::size_t limit) {
    if (view.data == nullptr && view.size > 0)
        return broken("its " + std::string(what) + " is null");
    if (view.size > limit) return broken("its " + std::string(what) + " is too long");
    const auto text = text_of(view);
    if (!is_utf8(text)) return broken("its " + std::string(what) + " is not valid UTF-8");
    return std::string(text);
}

// Names become directories, labels and keys of YAML.
bool is_name(std::string_view text) {
    if (text.empty() || text.size() > kMaxNameBytes || text.front() == '.') return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
}

Result<void> check_version(const promotiond_plugin& plugin) {
    if (plugin.size < sizeof(promotiond_plugin)) {
        return broken("its plugin object has " + std::to_string(plugin.size) +
                      " bytes, strategy ABI 1.0 has " + std::to_string(sizeof(promotiond_plugin)) +
                      "; rebuild it with a released SDK");
    }
    if (plugin.target_minor > PROMOTIOND_ABI_MINOR) {
        return broken("it needs strategy ABI 1." + std::to_string(plugin.target_minor) +
                      ", this promotiond speaks " + spoken() +
                      "; update promotiond, or rebuild the strategy with "
                      "PROMOTIOND_TARGET_MINOR=" +
                      std::to_string(PROMOTIOND_ABI_MINOR) + " or less");
    }
    if (plugin.create == nullptr) return broken("its create function is null");
    return {};
}

Result<void> check_names(const Description& found) {
    if (!is_name(found.name)) {
        return broken("its name '" + found.name + "' is not 1 to 64 of a-z A-Z 0-9 - _ .");
    }
    if (!is_name(found.key)) {
        return broken("its key '" + found.key + "' is not 1 to 64 of a-z A-Z 0-9 - _ .");
    }
    if (!found.provider.empty() && !is_name(found.provider)) {
        return broken("its provider '" + found.provider + "' is not 1 to 64 of a-z A-Z 0-9 - _ .");
    }
    return {};
}

}  // namespace

Result<const promotiond_plugin*> open_library(const VettedFile& file) {
    if (const auto right = check_machine(file); !right) return right.error();
    namespace dll = boost::dll;
    const auto opened = "/proc/self/fd/" + std::to_string(file.fd);
    // Boost has no name for "never unload" but hands unknown bits to dlopen.
    const auto mode = static_cast<dll::load_mode::type>(RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    try {
        const dll::shared_library library(opened, mode);
        if (!library.has(PROMOTIOND_PLUGIN_SYMBOL)) {
            return broken(file.path.string() +
                          ": exports no " PROMOTIOND_PLUGIN_SYMBOL
                          ", so it is no strategy of ABI 1.x (this promotiond "
                          "speaks " +
                          spoken() +
                          "); rebuild it with PROMOTIOND_STRATEGY of SDK 1.x, or remove "
                          "the file from the directory");
        }
        return &library.get<const promotiond_plugin>(PROMOTIOND_PLUGIN_SYMBOL);
    } catch (const std::exception& error) {
        return broken(with_path(file.path.string() + ": cannot be loaded: " + error.what(), opened,
                                file.path.string()));
    } catch (...) {
        return broken(file.path.string() + ": cannot be loaded: a constructor threw");
    }
}

Result<Description> describe(const promotiond_plugin& plugin) {
    if (const auto version = check_version(plugin); !version) return version.error();
    Description found;
    found.target_minor = plugin.target_minor;
    std::string hosts;
    const auto into = [](Result<std::string> text, std::string& field) -> Result<void> {
        if (!text) return std::move(text).error();
        field = std::move(*text);
        return {};
    };
    for (const auto& [view, what, limit, field] :
         {std::tuple{plugin.name, "name", kMaxTextBytes, &found.name},
          std::tuple{plugin.key, "key", kMaxTextBytes, &found.key},
          std::tuple{plugin.provider, "provider", kMaxTextBytes, &found.provider},
          std::tuple{plugin.hosts, "hosts", kMaxTextBytes, &hosts},
          std::tuple{plugin.version, "version", kMaxTextBytes, &found.version},
          std::tuple{plugin.summary, "summary", kMaxTextBytes, &found.summary},
          std::tuple{plugin.schema, "schema", kMaxSchemaBytes, &found.schema}}) {
        if (const auto taken = into(take(view, what, limit), *field); !taken) return taken.error();
    }
    std::istringstream words(hosts);
    for (std::string host; words >> host;) found.hosts.push_back(host);
    if (const auto names = check_names(found); !names) return names.error();
    return found;
}

}  // namespace promotiond::strategy
