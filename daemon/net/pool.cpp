#include "net/pool.hpp"

#include <iterator>

namespace promotiond::net {
namespace {

constexpr std::chrono::seconds kKeepFor{30};
constexpr std::size_t kMostPerOrigin = 8;
constexpr std::size_t kMostOrigins = 32;

}  // namespace

void Pool::drop_old(Map& idle, std::vector<Idle>& closing) {
    const auto now = std::chrono::steady_clock::now();
    for (auto entry = idle.begin(); entry != idle.end();) {
        auto& list = entry->second;
        auto fresh = list.begin();  // the oldest come first
        while (fresh != list.end() && now - fresh->since >= kKeepFor) ++fresh;
        closing.insert(closing.end(), std::make_move_iterator(list.begin()),
                       std::make_move_iterator(fresh));
        list.erase(list.begin(), fresh);
        entry = list.empty() ? idle.erase(entry) : std::next(entry);
    }
}

std::optional<Connection> Pool::take(const std::string& key, std::chrono::milliseconds idle_most) {
    std::vector<Idle> closing;
    while (true) {
        std::optional<Idle> found;
        {
            auto idle = idle_.access();
            drop_old(*idle, closing);
            const auto entry = idle->find(key);
            if (entry == idle->end()) return std::nullopt;  // drop_old leaves no empty list
            found.emplace(std::move(entry->second.back()));
            entry->second.pop_back();
        }
        if (std::chrono::steady_clock::now() - found->since < idle_most &&
            found->connection.is_quiet())
            return std::move(found->connection);
        closing.push_back(std::move(*found));
    }
}

void Pool::give(const std::string& key, Connection connection) {
    std::vector<Idle> closing;
    auto idle = idle_.access();
    drop_old(*idle, closing);
    if (idle->size() >= kMostOrigins && !idle->contains(key)) {
        auto& oldest = idle->begin()->second;
        closing.insert(closing.end(), std::make_move_iterator(oldest.begin()),
                       std::make_move_iterator(oldest.end()));
        idle->erase(idle->begin());
    }
    auto& list = (*idle)[key];
    if (list.size() >= kMostPerOrigin) {
        closing.push_back(std::move(list.front()));
        list.erase(list.begin());
    }
    list.push_back({std::move(connection), std::chrono::steady_clock::now()});
}

}  // namespace promotiond::net
