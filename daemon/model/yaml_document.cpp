#include "model/yaml_document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_set>

#include "model/text_check.hpp"

namespace promotiond::model {

namespace {

// Thrown through yaml-cpp by the handler below, caught in yaml_documents(); never leaves this file.
struct Refused {
    YAML::Mark mark;
    std::string message;
};

// Builds the tree while yaml-cpp reads, so that the caps hold before memory or stack are spent: the
// parser calls the handler before it descends, and a throw ends its recursion.
class TreeBuilder final : public YAML::EventHandler {
public:
    TreeBuilder(const std::string& file, const YamlLimits& limits) : file_(file), limits_(limits) {}

    [[nodiscard]] std::vector<YamlNode> take() { return std::move(documents_); }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_anchor(mark, anchor);
        add(mark, leaf(mark, YamlNode::Kind::Null));
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        throw Refused{mark, "aliases (*name) are not allowed; write the value out"};
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        YamlNode node = leaf(mark, YamlNode::Kind::Scalar);
        node.scalar = value;
        node.quoted = tag == "!";
        add(mark, std::move(node));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlNode::Kind::Sequence);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlNode::Kind::Mapping);
    }
    void OnMapEnd() override { close(); }

private:
    struct Frame {
        YamlNode node;
        std::optional<std::string> key;  // of the member whose value comes next
        std::unordered_set<std::string> keys;
    };

    [[nodiscard]] Position position(const YAML::Mark& mark) const {
        return {file_, mark.line + 1, mark.column + 1};
    }
    [[nodiscard]] YamlNode leaf(const YAML::Mark& mark, YamlNode::Kind kind) {
        if (++nodes_ > limits_.nodes) {
            throw Refused{mark, "more than " + std::to_string(limits_.nodes) + " values"};
        }
        YamlNode node;
        node.kind = kind;
        node.where = position(mark);
        return node;
    }
    static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != 0) throw Refused{mark, "anchors (&name) are not allowed; write values out"};
    }
    // "?" and "!" are what yaml-cpp gives to plain and to quoted nodes without a tag.
    static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (tag.empty() || tag == "?" || tag == "!") return;
        throw Refused{mark, "tags are not allowed (" + shown(tag) + "); remove it"};
    }

    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
              YamlNode::Kind kind) {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        if (!stack_.empty() && expects_key()) {
            throw Refused{mark, "a key must be plain text, not a list or a mapping"};
        }
        if (stack_.size() >= limits_.depth) {
            throw Refused{mark, "nested deeper than " + std::to_string(limits_.depth) + " levels"};
        }
        stack_.push_back(Frame{leaf(mark, kind), std::nullopt, {}});
    }
    void close() {
        YamlNode node = std::move(stack_.back().node);
        stack_.pop_back();
        place(std::move(node));
    }
    [[nodiscard]] bool expects_key() const {
        return stack_.back().node.kind == YamlNode::Kind::Mapping && !stack_.back().key;
    }
    void add(const YAML::Mark& mark, YamlNode node) {
        if (!stack_.empty() && expects_key()) return add_key(mark, std::move(node));
        place(std::move(node));
    }
    void add_key(const YAML::Mark& mark, YamlNode node) {
        Frame& frame = stack_.back();
        if (node.kind != YamlNode::Kind::Scalar) {
            throw Refused{mark, "a key must be plain text, not empty or null"};
        }
        if (node.scalar == "<<" && !node.quoted) {
            throw Refused{mark, "merge keys (<<) are not allowed; write the members out"};
        }
        if (!frame.keys.insert(node.scalar).second) {
            throw Refused{mark, "key \"" + shown(node.scalar) + "\" is here twice; remove one"};
        }
        frame.node.key_positions.push_back(std::move(node.where));
        frame.key = std::move(node.scalar);
    }
    void place(YamlNode node) {
        if (stack_.empty()) {
            if (node.kind != YamlNode::Kind::Null) documents_.push_back(std::move(node));
            return;
        }
        Frame& frame = stack_.back();
        if (frame.node.kind == YamlNode::Kind::Sequence) {
            frame.node.items.push_back(std::move(node));
            return;
        }
        frame.node.members.emplace_back(std::move(*frame.key), std::move(node));
        frame.key.reset();
    }

    const std::string& file_;
    const YamlLimits& limits_;
    std::size_t nodes_ = 0;
    std::vector<Frame> stack_;
    std::vector<YamlNode> documents_;
};

Position position_at(std::string_view text, std::size_t offset, const std::string& file) {
    const std::string_view before = text.substr(0, offset);
    const auto lines = std::count(before.begin(), before.end(), '\n');
    const auto start = before.rfind('\n');
    const std::size_t column = start == std::string_view::npos ? offset : offset - start - 1;
    return {file, static_cast<int>(lines) + 1, static_cast<int>(column) + 1};
}

// yaml-cpp would take UTF-16, and put U+FFFD in place of broken bytes; both must be seen instead.
Result<void> check_text(std::string_view text, const std::string& file, const YamlLimits& limits) {
    if (text.size() > limits.bytes) {
        return yaml_error({file, 1, 1}, std::to_string(text.size()) + " bytes are more than the " +
                                            std::to_string(limits.bytes) + " allowed");
    }
    if (const auto bad = first_invalid_utf8(text)) {
        return yaml_error(position_at(text, *bad, file), "not valid UTF-8; save it as UTF-8");
    }
    if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        return yaml_error(position_at(text, nul, file), "holds a NUL byte; remove it");
    }
    return {};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row[b.size()];
}

}  // namespace

const YamlNode* YamlNode::member(std::string_view key) const {
    for (const auto& [name, value] : members) {
        if (name == key) return &value;
    }
    return nullptr;
}

Error yaml_error(const Position& where, std::string_view message) {
    std::string text = where.file;
    if (where.line > 0) {
        if (!text.empty()) text += ':';
        text += std::to_string(where.line) + ":" + std::to_string(where.column);
    }
    if (!text.empty()) text += ": ";
    return Error{ErrorKind::Invalid, text + std::string(message)};
}

Result<std::vector<YamlNode>> yaml_documents(std::string_view text, const std::string& file,
                                             const YamlLimits& limits) {
    if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
    if (auto checked = check_text(text, file, limits); !checked) return std::move(checked).error();
    TreeBuilder builder(file, limits);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Refused& refused) {
        return yaml_error({file, refused.mark.line + 1, refused.mark.column + 1}, refused.message);
    } catch (const YAML::Exception& error) {
        return yaml_error({file, error.mark.line + 1, error.mark.column + 1},
                          "not valid YAML: " + error.msg);
    }
    return builder.take();
}

std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& known) {
    std::optional<std::string> best;
    std::size_t best_distance = typed.size() / 3 + 1;  // one slip in every three characters
    if (typed.size() > 64) return best;
    for (const std::string& name : known) {
        const std::size_t distance = edit_distance(typed, name);
        if (distance > best_distance || (best && distance == best_distance)) continue;
        best = name;
        best_distance = distance;
    }
    return best;
}

}  // namespace promotiond::model
