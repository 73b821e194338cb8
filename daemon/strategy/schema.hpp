// Schema: a JSON Schema (draft 7) compiled once, against which configurations are checked.
//
// Thread-safety: check() from any thread. valijson and Boost.JSON are behind it, in schema.cpp
// only.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.hpp"

namespace promotiond::strategy {

class Schema {
public:
    // An empty text accepts any object. Invalid: not JSON, or not a schema.
    [[nodiscard]] static Result<Schema> compile(std::string_view text);
    Schema(Schema&&) noexcept;
    Schema& operator=(Schema&&) noexcept;
    ~Schema();

    // Invalid: where (JSON pointer) and what is wrong, at most three complaints.
    [[nodiscard]] Result<void> check(std::string_view document) const;

private:
    class State;
    explicit Schema(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Whether a text is one JSON object and nothing else.
[[nodiscard]] bool is_json_object(std::string_view text);

}  // namespace promotiond::strategy
