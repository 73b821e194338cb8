// JsonText: writes JSON straight into a string, in the order it is told.
//
// Strings are escaped, and bytes that are not UTF-8 become U+FFFD, so that the text is JSON
// whatever a plugin or a file said. Nesting is the caller's duty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace promotiond::http {

class JsonText {
public:
    JsonText& begin_object() { return open('{'); }
    JsonText& end_object() { return close('}'); }
    JsonText& begin_array() { return open('['); }
    JsonText& end_array() { return close(']'); }
    JsonText& key(std::string_view name);
    JsonText& value(std::string_view text);
    JsonText& value(const char* text) { return value(std::string_view(text)); }
    JsonText& value(std::int64_t number);
    JsonText& value(bool truth);
    JsonText& null();
    // Already JSON.
    JsonText& raw(std::string_view json);

    template <class T>
    JsonText& member(std::string_view name, const T& content) {
        key(name);
        return value(content);
    }
    // Leaves the member out if the text is empty.
    JsonText& member_if(std::string_view name, std::string_view text) {
        return text.empty() ? *this : member(name, text);
    }

    [[nodiscard]] std::string text() && { return std::move(text_); }

private:
    JsonText& open(char bracket);
    JsonText& close(char bracket);
    void separate();
    void quote(std::string_view text);

    std::string text_;
    bool fresh_ = true;  // nothing was written since the last bracket or key
};

}  // namespace promotiond::http
