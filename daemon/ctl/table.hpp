// table: aligned columns for people.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace promotiond::ctl {

// Text of the server for a terminal: control characters become '?'.
[[nodiscard]] std::string shown(std::string_view text);
// As shown(), but keeps line breaks and tabs.
[[nodiscard]] std::string shown_lines(std::string_view text);

class Table {
public:
    explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
    // Empty cells are shown as "-". As many cells as headings.
    void add(std::vector<std::string> cells);
    void print(std::ostream& out) const;

private:
    std::vector<std::string> headings_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace promotiond::ctl
