// A folder for one test, removed with it, and the ways in which files come to change.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "catch.hpp"

namespace promotiond::platform {

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "promotiond-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    void write(const std::string& file, std::string_view text) const {
        std::filesystem::create_directories((path_ / file).parent_path());
        std::ofstream(path_ / file, std::ios::binary | std::ios::trunc) << text;
        std::filesystem::permissions(path_ / file, std::filesystem::perms{0600});
    }
    // As editors and configuration tools do.
    void replace(const std::string& file, std::string_view text) const {
        write(file + ".new", text);
        std::filesystem::rename(path_ / (file + ".new"), path_ / file);
    }
    // As the kubelet does for a mounted ConfigMap or Secret: a folder of its own for each version,
    // and one link that is exchanged.
    void mount(const std::string& at, const std::string& file, std::string_view text,
               int version) const {
        const std::string folder = "..2026_" + std::to_string(version);
        const std::string base = at.empty() ? "" : at + "/";
        write(base + folder + "/" + file, text);
        std::filesystem::create_symlink(folder, path_ / (base + "..data_tmp"));
        std::filesystem::rename(path_ / (base + "..data_tmp"), path_ / (base + "..data"));
        if (!std::filesystem::is_symlink(path_ / (base + file))) {
            std::filesystem::create_symlink("..data/" + file, path_ / (base + file));
        }
    }

private:
    std::filesystem::path path_;
};

}  // namespace promotiond::platform
