#include "symbols.hpp"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>

namespace {

// A struct at an offset, zero where the file ends before it.
template <class T>
T read_at(const std::string& bytes, std::size_t at) {
    T value{};
    if (at <= bytes.size() && bytes.size() - at >= sizeof value) {
        std::memcpy(&value, bytes.data() + at, sizeof value);
    }
    return value;
}

std::string name_at(const std::string& bytes, std::size_t at) {
    return at < bytes.size() ? std::string(bytes.c_str() + at) : std::string();
}

}  // namespace

std::vector<std::string> exported_symbols(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    const auto header = read_at<Elf64_Ehdr>(bytes, 0);
    std::vector<std::string> names;
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return names;
    for (std::size_t i = 0; i < header.e_shnum; ++i) {
        const auto section = read_at<Elf64_Shdr>(bytes, header.e_shoff + i * sizeof(Elf64_Shdr));
        if (section.sh_type != SHT_DYNSYM) continue;
        const auto text =
            read_at<Elf64_Shdr>(bytes, header.e_shoff + section.sh_link * sizeof(Elf64_Shdr));
        for (std::size_t at = 0; at < section.sh_size; at += sizeof(Elf64_Sym)) {
            const auto symbol = read_at<Elf64_Sym>(bytes, section.sh_offset + at);
            if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) == STB_LOCAL)
                continue;
            names.push_back(name_at(bytes, text.sh_offset + symbol.st_name));
        }
    }
    return names;
}
