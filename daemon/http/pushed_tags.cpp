#include "http/pushed_tags.hpp"

#include <utility>

#include "base/log.hpp"
#include "http/answers.hpp"
#include "http/views_json.hpp"

namespace promotiond::http {
namespace {

bool passes(const Error& error) {
    return error.kind == ErrorKind::Transient || error.kind == ErrorKind::Throttled ||
           error.kind == ErrorKind::Cancelled;
}

JsonText& begin(JsonText& json, const model::PushedTag& tag) {
    return json.begin_object().member("image", tag.image).member("tag", tag.tag);
}

}  // namespace

PushedTags::PushedTags(ExchangePtr exchange) : exchange_(std::move(exchange)) {
    known_.access()->json.begin_object().key("tags").begin_array();
}

void PushedTags::ignore(const model::PushedTag& tag) {
    begin(known_.access()->json, tag)
        .member("ignored", "gitops.images names no application for it")
        .end_object();
}

void PushedTags::expect(std::size_t count) {
    known_.access()->awaited = count;
    if (count == 0) answer(std::exchange(*known_.access(), {}));
}

void PushedTags::take(const model::PushedTag& tag, const model::Release& release,
                      const Result<engine::Accepted>& result) {
    if (!result && !passes(result.error())) {
        log::warn("PROMO-4012", "a pushed image could not be taken as a release",
                  {{"request", exchange_->request.request_id},
                   {"image", tag.image + ":" + tag.tag},
                   {"reason", result.error().message}});
    }
    std::optional<Known> whole;
    {
        auto known = known_.access();
        JsonText& json = begin(known->json, tag);
        json.member("group", release.group).member("app", release.app);
        if (result) json.key("accepted").raw(accepted_json(*result));
        else json.member("ignored", result.error().message);
        json.end_object();
        if (!result && passes(result.error())) known->passing = result.error();
        if (--known->awaited == 0) whole = std::move(*known);
    }
    if (whole) answer(*std::move(whole));
}

void PushedTags::answer(Known known) const {
    if (known.passing) return refuse(*exchange_, *known.passing);
    known.json.end_array().end_object();
    exchange_->answer(json_response(202, std::move(known.json).text()));
}

}  // namespace promotiond::http
