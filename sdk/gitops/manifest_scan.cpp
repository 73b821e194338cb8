#include "manifest_scan.hpp"

#include <yaml.h>

#include <memory>
#include <new>

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// libyaml's parser over a text, with the conversion of its positions.
class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {
        if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
        // libyaml counts a byte order mark as a column, so that the first line would seem indented.
        if (text.starts_with(kByteOrderMark)) {
            bytes_ = kByteOrderMark.size();
            text.remove_prefix(kByteOrderMark.size());
        }
        yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                     text.size());
    }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;
    ~Parser() { yaml_parser_delete(&parser_); }

    yaml_parser_t* get() { return &parser_; }

    // libyaml's mark.index counts code points. Called with rising
    // indexes only, so that the whole text is walked once.
    std::size_t byte_of(std::size_t index) {
        while (code_points_ < index && bytes_ < text_.size()) {
            ++bytes_;
            while (bytes_ < text_.size() &&
                   (static_cast<unsigned char>(text_[bytes_]) & 0xC0u) == 0x80u) {
                ++bytes_;
            }
            ++code_points_;
        }
        return bytes_;
    }

    Error error() const {
        const std::size_t line =
            parser_.error == YAML_READER_ERROR ? parser_.mark.line : parser_.problem_mark.line;
        const std::string problem = parser_.problem != nullptr ? parser_.problem : "not YAML";
        return {ErrorKind::Invalid, "line " + std::to_string(line + 1) + ": " + problem};
    }

private:
    std::string_view text_;
    yaml_parser_t parser_{};
    std::size_t code_points_ = 0;
    std::size_t bytes_ = 0;
};

YamlNode::Kind kind_of(yaml_scalar_style_t style) {
    switch (style) {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE: return YamlNode::Kind::SingleQuoted;
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE: return YamlNode::Kind::DoubleQuoted;
        case YAML_LITERAL_SCALAR_STYLE:
        case YAML_FOLDED_SCALAR_STYLE: return YamlNode::Kind::Block;
        default: return YamlNode::Kind::Plain;
    }
}

std::string text_of(const yaml_char_t* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

int depth_change(yaml_token_type_t type) {
    switch (type) {
        case YAML_BLOCK_SEQUENCE_START_TOKEN:
        case YAML_BLOCK_MAPPING_START_TOKEN:
        case YAML_FLOW_SEQUENCE_START_TOKEN:
        case YAML_FLOW_MAPPING_START_TOKEN: return 1;
        case YAML_BLOCK_END_TOKEN:
        case YAML_FLOW_SEQUENCE_END_TOKEN:
        case YAML_FLOW_MAPPING_END_TOKEN: return -1;
        default: return 0;
    }
}

using Token = std::unique_ptr<yaml_token_t, decltype(&yaml_token_delete)>;
using Event = std::unique_ptr<yaml_event_t, decltype(&yaml_event_delete)>;

// Tokens say exactly where a scalar's bytes are; events would count anchor and tag in.
Result<std::vector<YamlNode>> scan_tokens(std::string_view text, const ManifestLimits& limits) {
    Parser parser(text);
    std::vector<YamlNode> nodes;
    std::size_t depth = 0;
    for (;;) {
        yaml_token_t storage;
        if (yaml_parser_scan(parser.get(), &storage) == 0) return parser.error();
        const Token token(&storage, &yaml_token_delete);
        depth += static_cast<std::size_t>(depth_change(token->type));
        if (depth > limits.depth) {
            return Error{ErrorKind::Invalid, "line " + std::to_string(token->start_mark.line + 1) +
                                                 ": nested deeper than " +
                                                 std::to_string(limits.depth) + " levels"};
        }
        if (token->type == YAML_STREAM_END_TOKEN) return nodes;
        const bool scalar = token->type == YAML_SCALAR_TOKEN;
        if (!scalar && token->type != YAML_ALIAS_TOKEN) continue;
        YamlNode node;
        node.begin = parser.byte_of(token->start_mark.index);
        node.end = parser.byte_of(token->end_mark.index);
        node.kind = scalar ? kind_of(token->data.scalar.style) : YamlNode::Kind::Alias;
        node.value = scalar ? text_of(token->data.scalar.value, token->data.scalar.length)
                            : reinterpret_cast<const char*>(token->data.alias.value);
        nodes.push_back(std::move(node));
    }
}

// Which place of its collection the next node takes.
class Places {
public:
    void open(bool mapping) {
        (void)take();
        open_.push_back({mapping, true});
    }
    void close() { open_.pop_back(); }
    // True if the next node is a key; moves on to the place behind it.
    bool take() {
        if (open_.empty() || !open_.back().mapping) return false;
        const bool key = open_.back().key_next;
        open_.back().key_next = !key;
        return key;
    }

private:
    struct Collection {
        bool mapping;
        bool key_next;
    };
    std::vector<Collection> open_;
};

bool carries_type(const yaml_event_t& event) {
    if (event.type != YAML_SCALAR_EVENT || event.data.scalar.tag == nullptr) return false;
    const std::string_view tag(reinterpret_cast<const char*>(event.data.scalar.tag));
    return tag != YAML_STR_TAG && tag != "!";
}

// A scalar event that no token stands for: a value that was left out. (Quoted empty ones have a
// token, and a plain token is never empty.)
bool is_left_out(const yaml_event_t& event) {
    return event.type == YAML_SCALAR_EVENT && event.data.scalar.length == 0 &&
           event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

// Events check the grammar and say which scalars are keys; they come in the tokens' order.
Result<void> add_places(std::string_view text, std::vector<YamlNode>& nodes) {
    Parser parser(text);
    Places places;
    std::size_t next = 0;
    for (;;) {
        yaml_event_t storage;
        if (yaml_parser_parse(parser.get(), &storage) == 0) return parser.error();
        const Event event(&storage, &yaml_event_delete);
        switch (event->type) {
            case YAML_STREAM_END_EVENT:
                if (next == nodes.size()) return {};
                return Error{ErrorKind::Invalid, "line 1: cannot be read unambiguously"};
            case YAML_MAPPING_START_EVENT: places.open(true); break;
            case YAML_SEQUENCE_START_EVENT: places.open(false); break;
            case YAML_MAPPING_END_EVENT:
            case YAML_SEQUENCE_END_EVENT: places.close(); break;
            case YAML_SCALAR_EVENT:
            case YAML_ALIAS_EVENT: {
                const bool key = places.take();
                if (is_left_out(*event)) break;
                if (next == nodes.size()) {
                    return Error{ErrorKind::Invalid, "line 1: cannot be read unambiguously"};
                }
                nodes[next].is_key = key;
                nodes[next++].is_typed = carries_type(*event);
                break;
            }
            default: break;
        }
    }
}

}  // namespace

Result<std::vector<YamlNode>> scan_yaml(std::string_view text, const ManifestLimits& limits) {
    auto nodes = scan_tokens(text, limits);
    if (!nodes) return nodes;
    if (auto grammar = add_places(text, *nodes); !grammar) return std::move(grammar).error();
    return nodes;
}

}  // namespace promotiond::sdk::inline v1::gitops
