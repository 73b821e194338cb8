#include "http/message.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/log.hpp"
#include "http/json_text.hpp"

namespace promotiond::http {

const std::string* Request::single(std::string_view name) const {
    const std::string* found = nullptr;
    for (const auto& [key, value] : headers) {
        if (key != name) continue;
        if (found != nullptr) return nullptr;
        found = &value;
    }
    return found;
}

std::size_t Request::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; }));
}

std::string_view title_of(unsigned status) {
    static constexpr std::array<std::pair<unsigned, std::string_view>, 27> kTitles{
        {{200, "OK"},
         {201, "Created"},
         {202, "Accepted"},
         {204, "No Content"},
         {304, "Not Modified"},
         {400, "Bad Request"},
         {401, "Unauthorized"},
         {403, "Forbidden"},
         {404, "Not Found"},
         {405, "Method Not Allowed"},
         {408, "Request Timeout"},
         {409, "Conflict"},
         {411, "Length Required"},
         {413, "Content Too Large"},
         {414, "URI Too Long"},
         {415, "Unsupported Media Type"},
         {417, "Expectation Failed"},
         {421, "Misdirected Request"},
         {422, "Unprocessable Content"},
         {429, "Too Many Requests"},
         {431, "Request Header Fields Too Large"},
         {500, "Internal Server Error"},
         {501, "Not Implemented"},
         {502, "Bad Gateway"},
         {503, "Service Unavailable"},
         {504, "Gateway Timeout"},
         {505, "HTTP Version Not Supported"}}};
    for (const auto& [code, title] : kTitles) {
        if (code == status) return title;
    }
    return "Unknown";
}

bool lists(std::string_view list, std::string_view element) {
    const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
    while (true) {
        const std::size_t comma = list.find(',');
        std::string_view each = list.substr(0, comma);
        while (!each.empty() && (each.front() == ' ' || each.front() == '\t'))
            each.remove_prefix(1);
        while (!each.empty() && (each.back() == ' ' || each.back() == '\t')) each.remove_suffix(1);
        if (std::equal(each.begin(), each.end(), element.begin(), element.end(),
                       [&](char a, char b) { return small(a) == b; })) {
            return true;
        }
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
}

Response problem(unsigned status, std::string_view detail, const Request& request) {
    JsonText json;
    json.begin_object()
        .member("type", "about:blank")
        .member("title", title_of(status))
        .member("status", static_cast<std::int64_t>(status))
        .member("detail", log::redacted(detail))
        .member("request_id", request.request_id)
        .end_object();
    Response response;
    response.status = status;
    response.media = "application/problem+json";
    response.body = std::move(json).text();
    return response;
}

std::string http_date(long long seconds) {
    static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    gmtime_r(&time, &parts);
    // Not strftime's %a and %b: those follow the process's locale.
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                  kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday,
                  kMonths.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_year + 1900,
                  parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text.data();
}

std::string serialise(const Response& response, const Request& request, bool keep_alive) {
    std::string bytes;
    bytes.reserve(256 + response.body.size());
    bytes.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
    bytes.append(title_of(response.status)).append("\r\n");
    const auto header = [&bytes](std::string_view name, std::string_view value) {
        for (const char c : value) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return;
        }
        bytes.append(name).append(": ").append(value).append("\r\n");
    };
    header("Date", http_date(std::time(nullptr)));
    for (const auto& [name, value] : response.headers) header(name, value);
    // What the leader answered through this replica is in the leader's log, under its id.
    const bool identified =
        std::any_of(response.headers.begin(), response.headers.end(),
                    [](const auto& each) { return each.first == "X-Request-Id"; });
    if (!identified && !request.request_id.empty()) header("X-Request-Id", request.request_id);
    if (!response.media.empty()) header("Content-Type", response.media);
    header("X-Content-Type-Options", "nosniff");
    header("Cache-Control", response.status == 200 ? "no-cache" : "no-store");
    if (response.status != 204 && response.status != 304) {
        header("Content-Length", std::to_string(response.body.size()));
    }
    if (!keep_alive) header("Connection", "close");
    bytes.append("\r\n");
    if (request.method != "HEAD" && response.status != 204 && response.status != 304) {
        bytes.append(response.body);
    }
    return bytes;
}

}  // namespace promotiond::http
