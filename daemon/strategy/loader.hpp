// Loader: from a file to a plugin object whose version we speak.
//
// Boost.DLL is behind it, in loader.cpp only. Libraries are never unloaded: thread-locals, atexit
// functions and libgit2's state outlive any verb. Thread-safety: main thread only.
#pragma once

#include <promotiond/abi.h>

#include <string>

#include "base/result.hpp"
#include "strategy/strategy.hpp"
#include "strategy/vetting.hpp"

namespace promotiond::strategy {

// Runs the library's static constructors. Invalid: for another machine, cannot be opened, or
// exports no strategy.
[[nodiscard]] Result<const promotiond_plugin*> open_library(const VettedFile& file);

// Reads the constant part without running any of its functions. Invalid: another version (the
// message names both and the remedy), or a member that breaks the contract.
[[nodiscard]] Result<Description> describe(const promotiond_plugin& plugin);

}  // namespace promotiond::strategy
