// Names of labels and people, in which letter case makes no difference. Pure; any thread.
#pragma once

#include <Poco/JSON/Array.h>

#include <string>
#include <vector>

namespace promotiond::forge {

using Names = std::vector<std::string>;

[[nodiscard]] bool is_same(const std::string& a, const std::string& b);
// Those wanted that are not there.
[[nodiscard]] Names missing(const Names& wanted, const Names& there);
// One text member of each object in a list; what has none is passed over.
[[nodiscard]] Names each(const Poco::JSON::Array::Ptr& list, const std::string& member);

}  // namespace promotiond::forge
