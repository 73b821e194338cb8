// JsonView: looks into JSON text without building a tree, so that a list of thousands of objects
// costs no more than its text and one odd object does not hide the others.
//
// For what an API server sends. It finds where values begin and end and trusts the rest; whoever
// takes a whole object in reads it strictly (model/codec.hpp). Text that is cut off or unbalanced
// has no members and no items.
//
// Thread-safety: a value. Lifetime: a view; the text must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace promotiond::platform {

class JsonView {
public:
    JsonView() = default;
    // The value at the beginning of the text; what follows it is not looked at.
    explicit JsonView(std::string_view text);

    // False: absent, null, or not a value at all. Everything below is then empty.
    explicit operator bool() const noexcept { return !raw_.empty() && raw_ != "null"; }
    // The value as it is written.
    [[nodiscard]] std::string_view raw() const noexcept { return raw_; }

    // The member of an object, or nothing; a path goes down through objects.
    [[nodiscard]] JsonView operator[](std::string_view key) const;
    [[nodiscard]] JsonView at(std::initializer_list<std::string_view> path) const;

    // Each item of an array, each member of an object (keys decoded), in order, until the function
    // says false. Returns false if the text is no array (no object), or is broken further on.
    bool each_item(const std::function<bool(JsonView)>& item) const;
    bool each_member(const std::function<bool(std::string_view key, JsonView)>& member) const;

    // A string, decoded; empty for everything else.
    [[nodiscard]] std::string text() const;
    // An integer; none for everything else.
    [[nodiscard]] std::optional<std::int64_t> number() const;
    [[nodiscard]] bool is_true() const noexcept { return raw_ == "true"; }
    [[nodiscard]] bool is_array() const noexcept { return raw_.starts_with('['); }
    [[nodiscard]] bool is_object() const noexcept { return raw_.starts_with('{'); }

private:
    std::string_view raw_;
};

}  // namespace promotiond::platform
