#include "remembered.hpp"

#include <iterator>
#include <utility>

namespace promotiond::github {

std::optional<Remembered::Answer> Remembered::find(const std::string& url) {
    const std::lock_guard lock(mutex_);
    const auto found = by_url_.find(url);
    if (found == by_url_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->answer;
}

void Remembered::keep(const std::string& url, Answer answer) {
    const std::lock_guard lock(mutex_);
    if (const auto old = by_url_.find(url); old != by_url_.end()) drop(old->second);
    if (answer.body.size() > kMostBytes) return;
    bytes_ += answer.body.size();
    entries_.push_front({url, std::move(answer)});
    by_url_[url] = entries_.begin();
    while (entries_.size() > kMost || bytes_ > kMostBytes) drop(std::prev(entries_.end()));
}

void Remembered::drop(Entries::iterator entry) {
    bytes_ -= entry->answer.body.size();
    by_url_.erase(entry->url);
    entries_.erase(entry);
}

}  // namespace promotiond::github
