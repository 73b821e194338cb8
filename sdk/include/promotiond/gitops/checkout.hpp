// A working copy that somebody else made, as a CI job does: where it comes from, what it stands
// on, and which branches of its origin it knows. Read, never changed; files of the work tree are
// not looked at.
//
// Thread-safety: a value. Standard library only in this header; libgit2 stays behind it.
#ifndef PROMOTIOND_GITOPS_CHECKOUT_HPP
#define PROMOTIOND_GITOPS_CHECKOUT_HPP

#include <map>
#include <string>
#include <vector>

#include "../result.hpp"

namespace promotiond::sdk::inline v1::gitops {

struct Checkout {
    std::string origin;                           // the remote's URL, without user and password
    std::string head;                             // commit id
    std::string branch;                           // empty = HEAD is detached
    std::vector<std::string> parents;             // of head; those of a shallow copy may be missing
    std::map<std::string, std::string> branches;  // of origin, as last fetched: name -> commit id
    std::string objects;                          // the directory that holds its objects
    std::string ca_file;                          // http.sslCAInfo of its own configuration
    bool shallow = false;                         // its history ends somewhere
};

// The branch that HEAD is the head of, or the merge of into another, by what origin is known to
// have; empty = none, or several.
[[nodiscard]] std::string likely_branch(const Checkout& checkout);

// Invalid: no repository there, no commit yet, or no remote `origin`.
[[nodiscard]] Result<Checkout> read_checkout(const std::string& directory);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
