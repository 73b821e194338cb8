// The daemon's names for the vocabulary it shares with the SDK: Result, Error, ErrorKind and
// Secret.
//
// The types live in the SDK because strategy authors need them too, and a second copy would drift.
#pragma once

#include <promotiond/result.hpp>
#include <promotiond/secret.hpp>

namespace promotiond {

using sdk::context;
using sdk::Error;
using sdk::ErrorKind;
using sdk::name_of;
using sdk::Result;
using sdk::Secret;

}  // namespace promotiond
