// The names that a shared library exports, read from the file without running it.
#pragma once

#include <string>
#include <vector>

// Empty if the file is no 64-bit ELF library.
std::vector<std::string> exported_symbols(const std::string& file);
