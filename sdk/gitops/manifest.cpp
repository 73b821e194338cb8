#include "manifest_edit.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "manifest_marker.hpp"
#include "manifest_scalar.hpp"
#include "manifest_scan.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

struct Line {
    std::size_t begin = 0;
    std::size_t end = 0;  // without the line break
};

std::vector<Line> lines_of(std::string_view text) {
    std::vector<Line> lines;
    // A byte order mark belongs to no line's content.
    std::size_t begin = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
    while (begin <= text.size()) {
        const auto end = std::min(text.find_first_of("\r\n", begin), text.size());
        lines.push_back({begin, end});
        begin = end + (text.substr(end).starts_with("\r\n") ? 2 : 1);
    }
    return lines;
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t") == std::string_view::npos;
}

// A '#' begins a comment at the line's begin, behind a blank, and behind what ends by itself.
bool may_begin_comment(std::string_view text, const Line& line, std::size_t at) {
    if (at == line.begin) return true;
    return std::string_view(" \t\"']},").find(text[at - 1]) != std::string_view::npos;
}

struct Target {
    std::size_t node = 0;  // index
    int line = 0;          // from 1
    std::string value;     // that it gets
};

Error refused(std::size_t line_index, std::string_view why) {
    return {ErrorKind::Invalid, "line " + std::to_string(line_index + 1) + ": " + std::string(why)};
}

// The edit of one text: finds the marked scalars, replaces them, proves the result.
class Editor {
public:
    Editor(std::string_view text, const Marking& marking, const ManifestLimits& limits)
        : text_(text), marking_(marking), limits_(limits), lines_(lines_of(text)) {}

    Result<Edited> run() {
        if (!mentions_us()) return Edited{std::string(text_), {}, false};
        auto nodes = scan_yaml(text_, limits_);
        if (!nodes) return std::move(nodes).error();
        nodes_ = std::move(nodes).value();
        if (auto found = find_targets(); !found) return std::move(found).error();
        return replace();
    }

private:
    // Whether any line could hold a marker of ours. Only then is the file parsed, so that files
    // that are none of our business may be as broken as they like.
    bool mentions_us() const {
        for (const Line& line : lines_) {
            for (std::size_t at = line.begin; at < line.end; ++at) {
                if (text_[at] == '#' && may_begin_comment(text_, line, at) && ours(at, line)) {
                    return true;
                }
            }
        }
        return false;
    }

    // The marker that begins here, if it is one of ours.
    std::optional<std::string> ours(std::size_t at, const Line& line) const {
        auto name = marker_in(text_.substr(at, line.end - at), marking_.key);
        return name && marking_.is_ours(*name) ? name : std::nullopt;
    }

    // The scalar that covers this byte, if any.
    const YamlNode* covering(std::size_t at) const {
        const auto behind = std::upper_bound(
            nodes_.begin(), nodes_.end(), at,
            [](std::size_t byte, const YamlNode& node) { return byte < node.begin; });
        if (behind == nodes_.begin()) return nullptr;
        const YamlNode& node = *std::prev(behind);
        return at < node.end ? &node : nullptr;
    }

    // Where the line's comment begins; npos = it has none.
    std::size_t comment_of(const Line& line) const {
        for (std::size_t at = line.begin; at < line.end; ++at) {
            if (text_[at] == '#' && may_begin_comment(text_, line, at) && covering(at) == nullptr) {
                return at;
            }
        }
        return std::string_view::npos;
    }

    Result<void> find_targets() {
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            if (auto inside = refuse_marker_in_scalar(i); !inside) return inside;
            const std::size_t comment = comment_of(lines_[i]);
            const auto name =
                comment == std::string_view::npos ? std::nullopt : ours(comment, lines_[i]);
            if (!name) continue;
            const bool alone = is_blank(text_.substr(lines_[i].begin, comment - lines_[i].begin));
            if (alone && !marking_.may_stand_above) continue;
            const auto marked = alone ? i + 1 : i;
            if (alone && decided_at_line_end(marked)) continue;
            if (auto target = target_on(marked, i, *name); !target)
                return std::move(target).error();
        }
        return {};
    }

    // Text of a block or multi-line scalar may look like a marker; nobody can say whether it is
    // meant for us, so the file is refused rather than silently left as it is.
    Result<void> refuse_marker_in_scalar(std::size_t index) const {
        const Line& line = lines_[index];
        for (std::size_t at = line.begin; at < line.end; ++at) {
            if (text_[at] != '#' || !may_begin_comment(text_, line, at)) continue;
            const YamlNode* node = covering(at);
            if (node == nullptr) return {};  // the line's own comment: the rest belongs to it
            if (!ours(at, line)) continue;
            const bool header = node->kind == YamlNode::Kind::Block && node->begin >= line.begin;
            return refused(index, header
                                      ? "the marked value is a block scalar; write it in one line"
                                      : "the marker stands inside a text value");
        }
        return {};
    }

    // A marker at the line's end decides over one on the line above.
    bool decided_at_line_end(std::size_t index) const {
        if (index >= lines_.size()) return false;
        const std::size_t comment = comment_of(lines_[index]);
        if (comment == std::string_view::npos || comment == lines_[index].begin) return false;
        if (is_blank(text_.substr(lines_[index].begin, comment - lines_[index].begin))) {
            return false;
        }
        const auto text = text_.substr(comment, lines_[index].end - comment);
        return marker_in(text, marking_.key).has_value();
    }

    // Invariant: at most one node is remembered for a line.
    Result<void> target_on(std::size_t index, std::size_t marker_line, const std::string& name) {
        if (index >= lines_.size()) return refused(marker_line, "the marker has no value below it");
        const Line& line = lines_[index];
        std::vector<std::size_t> candidates;
        const auto first =
            std::partition_point(nodes_.begin(), nodes_.end(),
                                 [&](const YamlNode& node) { return node.end <= line.begin; });
        for (auto node = first; node != nodes_.end() && node->begin < line.end; ++node) {
            if (!node->is_key)
                candidates.push_back(static_cast<std::size_t>(node - nodes_.begin()));
        }
        if (candidates.empty()) {
            return refused(marker_line, "the marker is not at a value; put it behind `key: value`");
        }
        if (candidates.size() > 1) {
            return refused(marker_line,
                           "several values stand on the marked line; give the meant one a line of "
                           "its own");
        }
        const YamlNode& node = nodes_[candidates[0]];
        if (auto fit = check_fit(node, line, marker_line); !fit) return fit;
        targets_.push_back(
            {candidates[0], static_cast<int>(index) + 1, marking_.value_for(name, node.value)});
        return {};
    }

    static Result<void> check_fit(const YamlNode& node, const Line& line, std::size_t marker_line) {
        if (node.kind == YamlNode::Kind::Alias) {
            return refused(marker_line, "the marked value is the alias *" + node.value +
                                            "; write the value itself");
        }
        if (node.kind == YamlNode::Kind::Block) {
            return refused(marker_line, "the marked value is a block scalar; write it in one line");
        }
        if (node.begin < line.begin || node.end > line.end) {
            return refused(marker_line,
                           "the marked value spans several lines; write it in one line");
        }
        if (node.is_typed) {
            return refused(marker_line, "the marked value has a tag other than !!str");
        }
        return {};
    }

    static Quotes quotes_of(const YamlNode& node) {
        if (node.kind == YamlNode::Kind::SingleQuoted) return Quotes::Single;
        return node.kind == YamlNode::Kind::DoubleQuoted ? Quotes::Double : Quotes::None;
    }

    Result<Edited> replace() const {
        Edited edited;
        std::size_t copied = 0;
        for (const Target& target : targets_) {
            const YamlNode& node = nodes_[target.node];
            edited.edits.push_back({target.line, node.value, target.value});
            edited.text += text_.substr(copied, node.begin - copied);
            // Also when the text is equal already: a plain 1.10 reads as a number, "1.10" does not.
            const bool stays = node.value == target.value && quotes_of(node) != Quotes::None;
            edited.text += stays ? std::string(text_.substr(node.begin, node.end - node.begin))
                                 : write_scalar(target.value, quotes_of(node));
            copied = node.end;
        }
        edited.text += text_.substr(copied);
        edited.changed = edited.text != text_;
        if (auto proof = prove(edited.text); !proof) return std::move(proof).error();
        return edited;
    }

    // Reads the edited text again: every node is as it was, but for the value of the marked ones.
    Result<void> prove(const std::string& edited) const {
        const auto after = scan_yaml(edited, limits_);
        if (!after) return context(Error(after.error()), "the edited file would not parse");
        bool same = after->size() == nodes_.size();
        auto target = targets_.begin();
        for (std::size_t i = 0; same && i < nodes_.size(); ++i) {
            const YamlNode& was = nodes_[i];
            const YamlNode& is = (*after)[i];
            const bool marked = target != targets_.end() && target->node == i;
            same = is.value == (marked ? target->value : was.value) && is.is_key == was.is_key &&
                   is.is_typed == was.is_typed && (marked || is.kind == was.kind);
            if (marked) ++target;
        }
        if (same) return {};
        return Error{
            ErrorKind::Internal,
            "the edit would have changed more than the marked values; nothing was written"};
    }

    std::string_view text_;
    const Marking& marking_;
    const ManifestLimits& limits_;
    std::vector<Line> lines_;
    std::vector<YamlNode> nodes_;
    std::vector<Target> targets_;  // in the order of the text
};

}  // namespace

bool may_hold_markers(std::string_view path, std::string_view text, std::string_view marker_key) {
    if (!path.ends_with(".yaml") && !path.ends_with(".yml")) return false;
    return text.find('"' + std::string(marker_key) + '"') != std::string_view::npos;
}

Result<Edited> edit_marked(std::string_view text, const Marking& marking,
                           const ManifestLimits& limits) {
    if (text.size() > limits.bytes) {
        return Error{ErrorKind::Invalid, "line 1: the file has " + std::to_string(text.size()) +
                                             " bytes; the limit is " +
                                             std::to_string(limits.bytes)};
    }
    return Editor(text, marking, limits).run();
}

Result<Edited> set_marked_values(std::string_view text, const std::vector<std::string>& names,
                                 std::string_view value, const ManifestLimits& limits) {
    if (value.empty() || !is_utf8(value)) {
        return Error{ErrorKind::Invalid, "the new value is empty or not UTF-8"};
    }
    const Marking marking{
        .key = kMarkerKey,
        .may_stand_above = true,
        .is_ours =
            [&](const std::string& name) {
                return std::find(names.begin(), names.end(), name) != names.end();
            },
        .value_for = [&](const auto&, const auto&) { return std::string(value); }};
    return edit_marked(text, marking, limits);
}

}  // namespace promotiond::sdk::inline v1::gitops
