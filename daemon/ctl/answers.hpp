// answers: the server's documents, read and printed for people. Internal to ctl.
//
// Missing members and other types read as empty: an older or newer server is no reason to fail.
#pragma once

#include <boost/json/value.hpp>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

namespace promotiond::ctl {

[[nodiscard]] std::string text(const boost::json::value& value, std::string_view key);
[[nodiscard]] std::span<const boost::json::value> list(const boost::json::value& value,
                                                       std::string_view key);

// err takes what is said beside the answer: problems, and that there is more.
void print_pipelines(std::ostream& out, std::ostream& err, const boost::json::value& document);
void print_promotions(std::ostream& out, std::ostream& err, const boost::json::value& document);
void print_promotion(std::ostream& out, const boost::json::value& promotion);
// Of one environment only, unless `only` is empty.
void print_why(std::ostream& out, const boost::json::value& document, std::string_view only);
void print_plan(std::ostream& out, const boost::json::value& plan);
void print_plugins(std::ostream& out, std::ostream& err, const boost::json::value& document);

}  // namespace promotiond::ctl
