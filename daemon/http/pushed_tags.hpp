// PushedTags: what became of the tags that one webhook of a registry told of, answered when all of
// them are decided.
//
// Thread-safety: ignore() and expect() before anybody calls take(); take() from any thread.
#pragma once

#include <cstddef>
#include <optional>

#include "base/guarded.hpp"
#include "engine/engine.hpp"
#include "http/exchange.hpp"
#include "http/json_text.hpp"
#include "model/release.hpp"

namespace promotiond::http {

class PushedTags {
public:
    explicit PushedTags(ExchangePtr exchange);

    // A tag that is no application's.
    void ignore(const model::PushedTag& tag);
    // So many will be taken; with none it is answered now.
    void expect(std::size_t count);
    // 503 for all if any of them is to come again: what was taken is known then. What cannot be
    // taken is logged, and no reason to send it again.
    void take(const model::PushedTag& tag, const model::Release& release,
              const Result<engine::Accepted>& result);

private:
    struct Known {
        std::size_t awaited = 0;
        std::optional<Error> passing;
        JsonText json;
    };
    void answer(Known known) const;

    ExchangePtr exchange_;
    Guarded<Known> known_;
};

}  // namespace promotiond::http
