#include "strategy/schema.hpp"

#include <boost/json.hpp>
#include <string>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace promotiond::strategy {

namespace {

// Deeper than any configuration; the parser must not run out of stack on hostile nesting.
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxComplaints = 3;

Result<boost::json::value> parse(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = kMaxDepth;
    boost::system::error_code failed;
    auto value = boost::json::parse({text.data(), text.size()}, failed, {}, options);
    if (failed) return Error{ErrorKind::Invalid, "not valid JSON: " + failed.message()};
    return value;
}

// valijson spells a path as <root>, ["key"], [0].
std::string pointer_of(const std::vector<std::string>& context) {
    std::string pointer;
    for (const auto& step : context) {
        if (step == "<root>") continue;
        std::string_view name = step;
        for (const std::string_view wrapping : {"[", "\""}) {
            if (name.starts_with(wrapping)) name.remove_prefix(1);
        }
        for (const std::string_view wrapping : {"]", "\""}) {
            if (name.ends_with(wrapping)) name.remove_suffix(1);
        }
        pointer.append("/").append(name);
    }
    return pointer.empty() ? "/" : pointer;
}

}  // namespace

class Schema::State {
public:
    valijson::Schema schema;
};

Schema::Schema(std::unique_ptr<State> state) : state_(std::move(state)) {}
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;
Schema::~Schema() = default;

Result<Schema> Schema::compile(std::string_view text) {
    const auto document = parse(text.empty() ? R"({"type":"object"})" : text);
    if (!document) return context(document.error(), "schema");
    if (!document->is_object()) return Error{ErrorKind::Invalid, "schema: is not a JSON object"};
    auto state = std::make_unique<State>();
    try {
        valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
        parser.populateSchema(valijson::adapters::BoostJsonAdapter(document.value()),
                              state->schema);
    } catch (const std::exception& error) {
        return Error{ErrorKind::Invalid, std::string("schema: ") + error.what()};
    }
    return Schema(std::move(state));
}

Result<void> Schema::check(std::string_view text) const {
    const auto document = parse(text);
    if (!document) return document.error();
    try {
        valijson::Validator validator;
        valijson::ValidationResults results;
        if (validator.validate(state_->schema,
                               valijson::adapters::BoostJsonAdapter(document.value()), &results)) {
            return {};
        }
        std::string message;
        valijson::ValidationResults::Error error;
        for (std::size_t count = 0; count < kMaxComplaints && results.popError(error); ++count) {
            if (!message.empty()) message += "; ";
            message += pointer_of(error.context) + ": " + error.description;
        }
        return Error{ErrorKind::Invalid, message};
    } catch (const std::exception& error) {
        return Error{ErrorKind::Invalid, std::string("cannot be checked: ") + error.what()};
    }
}

bool is_json_object(std::string_view text) {
    const auto value = parse(text);
    return value && value->is_object();
}

}  // namespace promotiond::strategy
