// Reading what a forge answers: JSON that may be anything, words for messages, pauses. Pure; any
// thread.
#pragma once

#include <Poco/Dynamic/Var.h>
#include <Poco/JSON/Object.h>

#include <promotiond/strategy.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace promotiond::forge {

// Of JSON text, at most 30 levels deep. Throws Poco::Exception for what is not JSON.
[[nodiscard]] Poco::Dynamic::Var parse(std::string_view json);
[[nodiscard]] std::string text_of(const Poco::JSON::Object& object);

// Members; empty, false and 0 for what is missing or of another type.
[[nodiscard]] std::string text(const Poco::JSON::Object& object, const std::string& key);
[[nodiscard]] bool truth(const Poco::JSON::Object& object, const std::string& key);
[[nodiscard]] std::uint64_t positive_number(const Poco::JSON::Object& object,
                                            const std::string& key);

// ASCII only.
[[nodiscard]] std::string lower(std::string_view text);
// A whole decimal number and nothing else.
[[nodiscard]] std::optional<std::int64_t> number_in(std::string_view text);

// Transient: "bad answer: " and what is wrong with it.
[[nodiscard]] sdk::Error bad_answer(std::string_view what);

// The other side's text for a message: one line of at most 300 bytes of printable ASCII, in which
// each of the secrets is ***.
[[nodiscard]] std::string words(std::string_view raw, const std::vector<std::string_view>& secrets);

// How long to wait by Retry-After in seconds, else by X-RateLimit-Reset if nothing remains, else a
// minute; from a second to an hour.
[[nodiscard]] std::chrono::milliseconds pause_of(
    const sdk::HttpResponse& response, std::chrono::sys_time<std::chrono::milliseconds> now);

}  // namespace promotiond::forge
