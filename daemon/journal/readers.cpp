#include "journal/readers.hpp"

namespace promotiond::journal {

namespace {

// Connections that stay open between reads; each has up to a megabyte of pages in memory.
constexpr std::size_t kIdle = 4;

}  // namespace

Readers::Loan::~Loan() {
    if (lender_ == nullptr) return;
    const std::lock_guard held(lender_->mutex_);
    if (lender_->idle_.size() < kIdle) lender_->idle_.push_back(std::move(connection_));
}

Result<Readers::Loan> Readers::lend() {
    std::shared_lock held(lending_, std::defer_lock);
    // Asked before as well, so that close() does not wait for newcomers.
    if (open_) held.lock();
    if (!held || !open_) {
        return Error{.kind = ErrorKind::Transient,
                     .message = "it cannot be read until its disk takes writes again"};
    }
    {
        const std::lock_guard taking(mutex_);
        if (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            return Loan(*this, std::move(connection), std::move(held));
        }
    }
    auto made = connect();
    if (!made) return made.error();
    return Loan(*this, std::move(*made), std::move(held));
}

Result<void> Readers::open() {
    auto first = connect();
    if (!first) return first.error();
    const std::lock_guard held(mutex_);
    idle_.push_back(std::move(*first));
    open_ = true;
    return {};
}

void Readers::close() {
    open_ = false;
    const std::unique_lock nobody_reads(lending_);
    const std::lock_guard held(mutex_);
    idle_.clear();
}

Result<sqlite::Connection> Readers::connect() const {
    auto made = sqlite::Connection::open(path_, sqlite::Connection::Access::ReadOnly);
    if (!made) return made;
    if (auto small = made->run("PRAGMA cache_size=-1024"); !small) return small.error();
    return made;
}

}  // namespace promotiond::journal
