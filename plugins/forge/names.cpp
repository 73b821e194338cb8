#include "forge/names.hpp"

#include <algorithm>

#include "forge/answer.hpp"

namespace promotiond::forge {

bool is_same(const std::string& a, const std::string& b) { return lower(a) == lower(b); }

Names missing(const Names& wanted, const Names& there) {
    Names out;
    for (const auto& name : wanted) {
        const auto same = [&](const std::string& other) { return is_same(name, other); };
        if (std::none_of(there.begin(), there.end(), same)) out.push_back(name);
    }
    return out;
}

Names each(const Poco::JSON::Array::Ptr& list, const std::string& member) {
    Names out;
    for (std::size_t i = 0; !list.isNull() && i < list->size(); ++i) {
        const auto entry = list->getObject(static_cast<unsigned>(i));
        if (entry.isNull()) continue;
        if (auto one = text(*entry, member); !one.empty()) out.push_back(std::move(one));
    }
    return out;
}

}  // namespace promotiond::forge
