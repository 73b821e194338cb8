#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <fstream>
#include <ostream>
#include <sstream>
#include <system_error>

#include "ctl/commands.hpp"
#include "ctl/table.hpp"
#include "model/codec.hpp"

namespace promotiond::ctl {
namespace {

constexpr std::size_t kMostFileBytes = 16u << 20;

}  // namespace

Result<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (file) text << file.rdbuf();
    if (!file || file.bad())
        return Error{ErrorKind::Invalid,
                     "cannot read " + path + ": " + std::generic_category().message(errno)};
    if (text.str().size() > kMostFileBytes)
        return Error{ErrorKind::Invalid, path + " is longer than 16 MiB"};
    return text.str();
}

int validate(const Arguments& arguments, const Surroundings& surroundings) {
    const bool json = arguments.value("output") == "json";
    boost::json::array files;
    bool good = true;
    for (const auto& path : arguments.operands) {
        const auto text = read_file(path);
        const auto pipelines = text ? model::pipelines_from_yaml(*text, path)
                                    : Result<std::vector<model::Pipeline>>(text.error());
        good = good && pipelines;
        if (json) {
            boost::json::object entry{{"file", path}, {"valid", pipelines.has_value()}};
            if (!pipelines) entry["message"] = pipelines.error().message;
            else entry["pipelines"] = pipelines->size();
            files.push_back(std::move(entry));
        } else if (!pipelines) {
            surroundings.err << shown(pipelines.error().message) << '\n';
        } else {
            surroundings.out << shown(path) << ": " << pipelines->size()
                             << (pipelines->size() == 1 ? " pipeline\n" : " pipelines\n");
        }
    }
    if (json)
        surroundings.out << boost::json::serialize(boost::json::object{{"files", files}}) << '\n';
    return good ? kOk : kFailed;
}

}  // namespace promotiond::ctl
