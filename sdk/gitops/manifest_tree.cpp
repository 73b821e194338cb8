#include "manifest_tree.hpp"

#include <yaml.h>

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "manifest_scalar.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// Aliases may stand for one another many times over; a file of manifests is far below.
constexpr std::size_t kMostNodes = 200'000;

Error at_line(std::size_t line, const std::string& why) {
    return {ErrorKind::Invalid, "line " + std::to_string(line) + ": " + why};
}

class Reader {
public:
    Reader(std::string_view text, const ManifestLimits& limits) : limits_(limits) {
        if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
        yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                     text.size());
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() { yaml_parser_delete(&parser_); }

    // None: the text has ended.
    Result<std::optional<YamlTree>> next() {
        yaml_document_t document;
        if (yaml_parser_load(&parser_, &document) == 0) return problem();
        document_ = &document;
        const bool there = yaml_document_get_root_node(&document) != nullptr;
        auto tree = there ? convert(1, 0) : Result<YamlTree>(YamlTree());
        yaml_document_delete(&document);
        if (!tree) return std::move(tree).error();
        if (!there) return std::optional<YamlTree>();
        return std::optional(*std::move(tree));
    }

private:
    Error problem() const {
        const auto line = parser_.error == YAML_READER_ERROR ? 0 : parser_.problem_mark.line + 1;
        return at_line(line, parser_.problem != nullptr ? parser_.problem : "not YAML");
    }

    Result<YamlTree> convert(int index, std::size_t depth) {
        const yaml_node_t& node = *yaml_document_get_node(document_, index);
        YamlTree tree;
        tree.line = static_cast<int>(node.start_mark.line) + 1;
        tree.column = static_cast<int>(node.start_mark.column) + 1;
        const auto line = static_cast<std::size_t>(tree.line);
        if (depth > limits_.depth) {
            return at_line(line, "nested deeper than " + std::to_string(limits_.depth) + " levels");
        }
        if (++nodes_ > kMostNodes) return at_line(line, "aliases stand for too much");
        take_tag(node, tree);
        switch (node.type) {
            case YAML_SCALAR_NODE:
                tree.quoted = node.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
                tree.value.assign(reinterpret_cast<const char*>(node.data.scalar.value),
                                  node.data.scalar.length);
                return tree;
            case YAML_SEQUENCE_NODE: return items_of(node, std::move(tree), depth);
            case YAML_MAPPING_NODE: return members_of(node, std::move(tree), depth);
            default: return tree;
        }
    }

    static void take_tag(const yaml_node_t& node, YamlTree& tree) {
        const std::string_view tag(reinterpret_cast<const char*>(node.tag));
        if (tag != YAML_STR_TAG && tag != YAML_SEQ_TAG && tag != YAML_MAP_TAG) tree.tag = tag;
    }

    Result<YamlTree> items_of(const yaml_node_t& node, YamlTree tree, std::size_t depth) {
        tree.kind = YamlTree::Kind::Sequence;
        const auto& items = node.data.sequence.items;
        for (const yaml_node_item_t* item = items.start; item < items.top; ++item) {
            auto one = convert(*item, depth + 1);
            if (!one) return one;
            tree.items.push_back(*std::move(one));
        }
        return tree;
    }

    Result<YamlTree> members_of(const yaml_node_t& node, YamlTree tree, std::size_t depth) {
        tree.kind = YamlTree::Kind::Mapping;
        const auto& pairs = node.data.mapping.pairs;
        for (const yaml_node_pair_t* pair = pairs.start; pair < pairs.top; ++pair) {
            const auto key = convert(pair->key, depth + 1);
            if (!key) return key;
            const auto line = static_cast<std::size_t>(key->line);
            if (key->kind != YamlTree::Kind::Scalar) return at_line(line, "a key is no text");
            if (tree.find(key->value) != nullptr) {
                return at_line(line, "the key \"" + key->value + "\" is given twice");
            }
            auto value = convert(pair->value, depth + 1);
            if (!value) return value;
            tree.members.push_back({key->value, key->line, key->column, *std::move(value)});
        }
        return tree;
    }

    const ManifestLimits& limits_;
    yaml_parser_t parser_{};
    yaml_document_t* document_ = nullptr;
    std::size_t nodes_ = 0;
};

class Writer {
public:
    std::string text;

    // A value behind "key:" or "-", or the document itself.
    void value(const YamlTree& tree, std::size_t indent) {
        if (!tree.tag.empty()) text += "!<" + tree.tag + "> ";
        switch (tree.kind) {
            case YamlTree::Kind::Scalar: scalar(tree, indent); break;
            case YamlTree::Kind::Sequence: sequence(tree, indent); break;
            case YamlTree::Kind::Mapping: mapping(tree, indent); break;
        }
    }

private:
    void begin_line(std::size_t indent) {
        if (!text.empty() && text.back() == ' ') text.pop_back();
        if (!text.empty() && text.back() != '\n') text += '\n';
        text.append(indent, ' ');
    }

    void mapping(const YamlTree& tree, std::size_t indent) {
        if (tree.members.empty()) {
            text += "{}\n";
            return;
        }
        const bool behind_dash = text.ends_with("- ");
        for (std::size_t i = 0; i < tree.members.size(); ++i) {
            if (i > 0 || !behind_dash) begin_line(indent);
            const auto& [key, line, column, member] = tree.members[i];
            text += write_scalar(key, Quotes::None) + ": ";
            const bool list = member.kind == YamlTree::Kind::Sequence;
            value(member, list ? indent : indent + 2);
        }
    }

    void sequence(const YamlTree& tree, std::size_t indent) {
        if (tree.items.empty()) {
            text += "[]\n";
            return;
        }
        const bool behind_dash = text.ends_with("- ");
        for (std::size_t i = 0; i < tree.items.size(); ++i) {
            if (i > 0 || !behind_dash) begin_line(indent);
            text += "- ";
            value(tree.items[i], indent + 2);
        }
    }

    void scalar(const YamlTree& tree, std::size_t indent) {
        if (is_block(tree.value)) return block(tree.value, indent);
        // A plain one is written as it was: it may be a number, and has to stay one.
        if (!tree.quoted && !tree.value.empty() && tree.value.find('\n') == std::string::npos) {
            text += tree.value + '\n';
        } else if (!tree.quoted && tree.value.empty()) {
            text += "null\n";
        } else {
            text += write_scalar(tree.value, Quotes::None) + '\n';
        }
    }

    // Text of several lines that a literal block holds without doubt.
    static bool is_block(const std::string& value) {
        if (value.find('\n') == std::string::npos || value.front() == ' ' || value.front() == '\n')
            return false;
        return std::none_of(value.begin(), value.end(), [](char c) {
            return (c >= 0 && c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
        });
    }

    void block(std::string_view value, std::size_t indent) {
        const bool ends = value.ends_with('\n');
        const bool keeps = value.ends_with("\n\n");
        text += ends ? (keeps ? "|+\n" : "|\n") : "|-\n";
        if (ends) value.remove_suffix(1);
        for (std::size_t begin = 0; begin <= value.size();) {
            const auto end = std::min(value.find('\n', begin), value.size());
            const auto line = value.substr(begin, end - begin);
            if (!line.empty()) text.append(std::max<std::size_t>(indent, 2), ' ').append(line);
            text += '\n';
            begin = end + 1;
        }
    }
};

}  // namespace

bool YamlTree::is_null() const {
    return kind == Kind::Scalar && !quoted && (value.empty() || value == "null" || value == "~");
}

const YamlTree* YamlTree::find(std::string_view key) const {
    const auto found = std::find_if(members.begin(), members.end(),
                                    [&](const Member& member) { return member.key == key; });
    return found == members.end() ? nullptr : &found->tree;
}

YamlTree* YamlTree::find(std::string_view key) {
    return const_cast<YamlTree*>(std::as_const(*this).find(key));
}

std::string YamlTree::text(std::string_view key) const {
    const YamlTree* found = find(key);
    return found != nullptr && found->kind == Kind::Scalar ? found->value : std::string();
}

void YamlTree::set(std::string_view key, YamlTree tree) {
    if (YamlTree* found = find(key)) *found = std::move(tree);
    else members.push_back({std::string(key), 0, 0, std::move(tree)});
}

YamlTree YamlTree::of_text(std::string_view text) {
    YamlTree tree;
    tree.quoted = true;
    tree.value = text;
    return tree;
}

YamlTree YamlTree::mapping() {
    YamlTree tree;
    tree.kind = Kind::Mapping;
    return tree;
}

YamlTree YamlTree::sequence() {
    YamlTree tree;
    tree.kind = Kind::Sequence;
    return tree;
}

Result<std::vector<YamlTree>> read_yaml(std::string_view text, const ManifestLimits& limits) {
    if (text.size() > limits.bytes) {
        return at_line(1, "the file has " + std::to_string(text.size()) + " bytes; the limit is " +
                              std::to_string(limits.bytes));
    }
    Reader reader(text, limits);
    std::vector<YamlTree> documents;
    for (;;) {
        auto document = reader.next();
        if (!document) return std::move(document).error();
        if (!*document) return documents;
        documents.push_back(*std::move(*document));
    }
}

std::string write_yaml(const YamlTree& tree) {
    Writer writer;
    writer.value(tree, 0);
    return std::move(writer.text);
}

}  // namespace promotiond::sdk::inline v1::gitops
