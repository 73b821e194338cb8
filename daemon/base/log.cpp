#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <memory>

#include "base/masking.hpp"

namespace promotiond::log {
namespace {

constexpr std::size_t kMostSecrets = 4096;

std::atomic<Format> chosen_format{Format::Logfmt};

// Neither of the two is ever destroyed: a strategy that did not return is left behind, and may
// still log while the process ends.
Masking& masking() {
    static auto* const values = new Masking(kMostSecrets);
    return *values;
}

spdlog::logger& logger() {
    static auto* const made = [] {
        auto* const stderr_logger =
            new spdlog::logger("promotiond", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        stderr_logger->set_pattern("%v");
        return stderr_logger;
    }();
    return *made;
}

spdlog::level::level_enum level_of(Level level) {
    switch (level) {
        case Level::Debug: return spdlog::level::debug;
        case Level::Info: return spdlog::level::info;
        case Level::Warn: return spdlog::level::warn;
        case Level::Error: return spdlog::level::err;
    }
    return spdlog::level::err;
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::Debug: return "debug";
        case Level::Info: return "info";
        case Level::Warn: return "warn";
        case Level::Error: return "error";
    }
    return "error";
}

// Both formats quote in JSON's way: readers of logfmt accept it, and no control character reaches a
// terminal.
void append_quoted(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 0x0f];
        } else {
            out += c;
        }
    }
    out += '"';
}

bool plain(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
    });
}

void append_field(std::string& out, Format format, std::string_view key, std::string_view value) {
    if (format == Format::Json) {
        out += out.empty() ? "{" : ",";
        append_quoted(out, key);
        out += ':';
        append_quoted(out, value);
        return;
    }
    if (!out.empty()) out += ' ';
    out += key;
    out += '=';
    if (plain(value)) out += value;
    else append_quoted(out, value);
}

std::string timestamp() {
    const auto now = std::chrono::system_clock::now();
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()).count();
    const auto seconds = static_cast<std::time_t>(ms / 1000);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                       utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

}  // namespace

void open(const Options& options) {
    chosen_format = options.format;
    logger().set_level(level_of(options.level));
}

bool enabled(Level level) { return logger().should_log(level_of(level)); }

void flush() { logger().flush(); }

void write(Level level, std::string_view id, std::string_view sentence,
           std::initializer_list<Field> fields) {
    if (!logger().should_log(level_of(level))) return;
    const Format format = chosen_format;
    std::string line;
    append_field(line, format, "ts", timestamp());
    append_field(line, format, "level", name_of(level));
    append_field(line, format, "id", id);
    append_field(line, format, "msg", redacted(sentence));
    for (const Field& field : fields) append_field(line, format, field.key, redacted(field.value));
    if (format == Format::Json) line += '}';
    logger().log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

void redact(std::string_view value) {
    if (masking().add(value)) return;
    static std::atomic<bool> said{false};
    if (said.exchange(true)) return;
    warn("PROMO-0014", "more secrets than the log can mask; the oldest may be shown from now on",
         {{"limit", std::to_string(kMostSecrets)}});
}

std::string redacted(std::string_view text) { return masking().masked(text); }

}  // namespace promotiond::log
