// The daemon's log: one line an event, with a fixed id, a sentence and fields. spdlog is behind it,
// in log.cpp only.
//
//   log::info("PROMO-1003", "promotion started", {{"promotion", id}, {"attempt", "2"}});
//
// Ids are listed with meaning and action in docs/log-messages.md. Info: a transition. Warn: someone
// should look. Error: someone must act. Values that were registered with redact() are written as
// ***; control characters are escaped. Thread-safety: everything may be called from any thread.
// Before open() lines go to standard error.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace promotiond::log {

enum class Level { Debug, Info, Warn, Error };
enum class Format { Logfmt, Json };

struct Options {
    Level level = Level::Info;
    Format format = Format::Logfmt;
};

struct Field {
    std::string_view key;
    std::string value;
};

void open(const Options& options);
// False: lines of this level go nowhere; for callers to whom building one would cost.
[[nodiscard]] bool enabled(Level level);
void flush();

void write(Level level, std::string_view id, std::string_view sentence,
           std::initializer_list<Field> fields);

inline void debug(std::string_view id, std::string_view sentence,
                  std::initializer_list<Field> fields = {}) {
    write(Level::Debug, id, sentence, fields);
}
inline void info(std::string_view id, std::string_view sentence,
                 std::initializer_list<Field> fields = {}) {
    write(Level::Info, id, sentence, fields);
}
inline void warn(std::string_view id, std::string_view sentence,
                 std::initializer_list<Field> fields = {}) {
    write(Level::Warn, id, sentence, fields);
}
inline void error(std::string_view id, std::string_view sentence,
                  std::initializer_list<Field> fields = {}) {
    write(Level::Error, id, sentence, fields);
}

// From now on this value is masked wherever a log line would show it. Values under 6 bytes are
// ignored: masking them would eat ordinary words. Keeps the newest 4096, and warns of more.
void redact(std::string_view value);
// The text with every registered value masked; for errors and answers that leave the process
// another way.
[[nodiscard]] std::string redacted(std::string_view text);

}  // namespace promotiond::log
