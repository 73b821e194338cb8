#include "ctl/table.hpp"

#include <algorithm>
#include <ostream>

namespace promotiond::ctl {
namespace {

// Code points, which is the width of all that pipelines are called in practice.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

std::string without_controls(std::string_view text, std::string_view kept) {
    std::string out(text);
    for (char& c : out) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 || byte == 0x7f) && kept.find(c) == std::string_view::npos) c = '?';
    }
    // C1 controls are two bytes in UTF-8 and move cursors as well.
    for (std::size_t i = 0; i + 1 < out.size(); ++i) {
        if (out[i] == '\xc2' && static_cast<unsigned char>(out[i + 1]) < 0xa0)
            out.replace(i, 2, "?");
    }
    return out;
}

}  // namespace

std::string shown(std::string_view text) { return without_controls(text, ""); }

std::string shown_lines(std::string_view text) { return without_controls(text, "\n\t"); }

void Table::add(std::vector<std::string> cells) {
    for (auto& cell : cells) cell = cell.empty() ? "-" : shown(cell);
    rows_.push_back(std::move(cells));
}

void Table::print(std::ostream& out) const {
    std::vector<std::size_t> widths;
    for (std::size_t column = 0; column < headings_.size(); ++column) {
        std::size_t most = width(headings_[column]);
        for (const auto& row : rows_) most = std::max(most, width(row.at(column)));
        widths.push_back(most);
    }
    const auto line = [&](const std::vector<std::string>& cells) {
        for (std::size_t column = 0; column < cells.size(); ++column) {
            out << cells[column];
            if (column + 1 < cells.size())
                out << std::string(widths[column] - width(cells[column]) + 2, ' ');
        }
        out << '\n';
    };
    line(headings_);
    for (const auto& row : rows_) line(row);
}

}  // namespace promotiond::ctl
