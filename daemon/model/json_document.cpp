#include "model/json_document.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <cmath>
#include <unordered_set>

#include "model/text_check.hpp"

namespace promotiond::model {

namespace {

namespace json = boost::json;

enum class Refusal { None, DuplicateKey, TooMany, NumberRange };

// Receives Boost.JSON's parse events. A handler can only stop the parser, so what was wrong is kept
// here.
class TreeHandler {
public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    explicit TreeHandler(std::size_t most) : most_(most) {}

    [[nodiscard]] YamlNode take() { return std::move(root_); }
    [[nodiscard]] Refusal refusal() const { return refusal_; }
    [[nodiscard]] const std::string& text() const { return text_; }

    bool on_document_begin(json::error_code&) { return true; }
    bool on_document_end(json::error_code&) { return true; }
    bool on_object_begin(json::error_code& error) { return open(YamlNode::Kind::Mapping, error); }
    bool on_object_end(std::size_t, json::error_code&) { return close(); }
    bool on_array_begin(json::error_code& error) { return open(YamlNode::Kind::Sequence, error); }
    bool on_array_end(std::size_t, json::error_code&) { return close(); }
    bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
        text_.append(part.data(), part.size());
        return true;
    }
    bool on_key(json::string_view part, std::size_t, json::error_code& error) {
        text_.append(part.data(), part.size());
        Frame& frame = stack_.back();
        if (!is_new(frame)) return stop(Refusal::DuplicateKey, error);
        frame.key = std::move(text_);
        text_.clear();
        return true;
    }
    bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
        text_.append(part.data(), part.size());
        return true;
    }
    bool on_string(json::string_view part, std::size_t, json::error_code& error) {
        text_.append(part.data(), part.size());
        return scalar(true, error);
    }
    bool on_number_part(json::string_view part, json::error_code&) {
        text_.append(part.data(), part.size());
        return true;
    }
    bool on_int64(std::int64_t, json::string_view part, json::error_code& error) {
        text_.append(part.data(), part.size());
        return scalar(false, error);
    }
    bool on_uint64(std::uint64_t, json::string_view part, json::error_code& error) {
        text_.append(part.data(), part.size());
        return scalar(false, error);
    }
    bool on_double(double value, json::string_view part, json::error_code& error) {
        if (!std::isfinite(value)) return stop(Refusal::NumberRange, error);
        text_.append(part.data(), part.size());
        return scalar(false, error);
    }
    bool on_bool(bool value, json::error_code& error) {
        text_ = value ? "true" : "false";
        return scalar(false, error);
    }
    bool on_null(json::error_code& error) {
        if (!count(error)) return false;
        place(YamlNode{});
        return true;
    }
    bool on_comment_part(json::string_view, json::error_code&) { return true; }
    bool on_comment(json::string_view, json::error_code&) { return true; }

private:
    struct Frame {
        YamlNode node;
        std::string key;
        std::unordered_set<std::string> keys;  // only of objects too large to look through
    };

    // Most objects have a few members: looking through them beats hashing.
    bool is_new(Frame& frame) {
        constexpr std::size_t kFew = 16;
        if (frame.node.members.size() < kFew) return frame.node.member(text_) == nullptr;
        if (frame.keys.empty()) {
            for (const auto& member : frame.node.members) frame.keys.insert(member.first);
        }
        return frame.keys.insert(text_).second;
    }
    bool stop(Refusal refusal, json::error_code& error) {
        refusal_ = refusal;
        error = make_error_code(json::error::exception);
        return false;
    }
    bool count(json::error_code& error) {
        return ++nodes_ <= most_ || stop(Refusal::TooMany, error);
    }
    bool open(YamlNode::Kind kind, json::error_code& error) {
        if (!count(error)) return false;
        stack_.emplace_back();
        stack_.back().node.kind = kind;
        return true;
    }
    bool close() {
        YamlNode node = std::move(stack_.back().node);
        stack_.pop_back();
        place(std::move(node));
        return true;
    }
    bool scalar(bool quoted, json::error_code& error) {
        if (!count(error)) return false;
        YamlNode node;
        node.kind = YamlNode::Kind::Scalar;
        node.scalar = std::move(text_);
        node.quoted = quoted;
        text_.clear();
        place(std::move(node));
        return true;
    }
    void place(YamlNode node) {
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Frame& frame = stack_.back();
        if (frame.node.kind == YamlNode::Kind::Sequence) {
            frame.node.items.push_back(std::move(node));
            return;
        }
        frame.node.members.emplace_back(std::move(frame.key), std::move(node));
        frame.node.key_positions.emplace_back();
        frame.key.clear();
    }

    std::size_t most_;
    std::size_t nodes_ = 0;
    Refusal refusal_ = Refusal::None;
    std::string text_;
    std::vector<Frame> stack_;
    YamlNode root_;
};

std::string explanation(const TreeHandler& handler, const json::error_code& error,
                        const YamlLimits& limits) {
    switch (handler.refusal()) {
        case Refusal::DuplicateKey:
            return "key \"" + shown(handler.text()) + "\" is here twice; send it once";
        case Refusal::TooMany: return "more than " + std::to_string(limits.nodes) + " values";
        case Refusal::NumberRange: return "a number out of range";
        case Refusal::None: break;
    }
    if (error == json::error::too_deep) {
        return "nested deeper than " + std::to_string(limits.depth) + " levels";
    }
    if (error == json::error::incomplete) return "the text ends too early";
    if (error == json::error::extra_data) return "text after the end of the value; remove it";
    return "not valid JSON (" + error.message() + ")";
}

}  // namespace

Result<YamlNode> json_document(std::string_view text, const YamlLimits& limits) {
    const auto invalid = [](std::size_t at, const std::string& what) {
        return Error{ErrorKind::Invalid, "byte " + std::to_string(at) + ": " + what};
    };
    if (text.size() > limits.bytes) {
        return invalid(limits.bytes, "longer than " + std::to_string(limits.bytes) + " bytes");
    }
    if (text.substr(0, 3) == "\xEF\xBB\xBF") {
        return invalid(0, "a byte order mark is not allowed; send plain UTF-8");
    }
    json::parse_options options;
    options.max_depth = limits.depth;
    json::basic_parser<TreeHandler> parser(options, limits.nodes);
    json::error_code error;
    try {
        const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
        if (!error && read < text.size()) error = make_error_code(json::error::extra_data);
        if (error) return invalid(read, explanation(parser.handler(), error, limits));
    } catch (const std::exception& thrown) {
        return Error{ErrorKind::Internal, std::string("cannot read JSON: ") + thrown.what()};
    }
    return parser.handler().take();
}

}  // namespace promotiond::model
