// Result<T>: the value of an operation that may fail in an expected way, or the Error that says
// why.
//
// Not for bugs: those are assertions or exceptions. Member names follow std::expected (C++23),
// which is absent from GCC 12 in C++20, so that the type can be swapped later. Standard library
// only.
//
// Thread-safety: a value like any other. Lifetime: owns what it holds.
#ifndef PROMOTIOND_RESULT_HPP
#define PROMOTIOND_RESULT_HPP

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace promotiond::sdk::inline v1 {

// What the caller should do about a failure. The kind drives retry and HTTP status; the text is for
// people.
enum class ErrorKind {
    Invalid,       // the input is wrong; repeating it cannot help
    NotFound,      // the named thing does not exist (or may not be seen)
    Unauthorized,  // credentials missing, wrong or too weak; a person must act
    Conflict,      // the other side moved; re-read and try again
    Throttled,     // told to slow down; see retry_after
    Transient,     // network, server error or timeout; try again later
    Cancelled,     // we were asked to stop and did
    Internal,      // our own fault, or a broken promise of a library
};

[[nodiscard]] constexpr std::string_view name_of(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::Invalid: return "invalid";
        case ErrorKind::NotFound: return "not-found";
        case ErrorKind::Unauthorized: return "unauthorized";
        case ErrorKind::Conflict: return "conflict";
        case ErrorKind::Throttled: return "throttled";
        case ErrorKind::Transient: return "transient";
        case ErrorKind::Cancelled: return "cancelled";
        case ErrorKind::Internal: return "internal";
    }
    return "internal";
}

struct Error {
    ErrorKind kind = ErrorKind::Internal;
    // What was tried, on what, why it failed, what to do. Never holds a secret.
    std::string message;
    // The other side's own word on when to come back; already clamped to a sane range by the
    // reader.
    std::optional<std::chrono::milliseconds> retry_after = {};
};

// Adds what the caller was doing: context(error, "cannot open journal") -> "cannot open journal:
// <message>".
[[nodiscard]] inline Error context(Error error, std::string_view doing) {
    error.message = std::string(doing) + ": " + error.message;
    return error;
}

template <class T>
class [[nodiscard]] Result {
public:
    using value_type = T;

    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    // Invariant: value() and operator* need has_value(), error() needs its absence; std::get
    // enforces both.
    [[nodiscard]] T& value() & { return std::get<0>(state_); }
    [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
    [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
    [[nodiscard]] T& operator*() & { return value(); }
    [[nodiscard]] const T& operator*() const& { return value(); }
    [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
    [[nodiscard]] T* operator->() { return &value(); }
    [[nodiscard]] const T* operator->() const { return &value(); }

    [[nodiscard]] Error& error() & { return std::get<1>(state_); }
    [[nodiscard]] const Error& error() const& { return std::get<1>(state_); }
    [[nodiscard]] Error&& error() && { return std::get<1>(std::move(state_)); }

    [[nodiscard]] T value_or(T other) && {
        return has_value() ? std::move(*this).value() : std::move(other);
    }

private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using value_type = void;

    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    [[nodiscard]] bool has_value() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] Error& error() & { return error_.value(); }
    [[nodiscard]] const Error& error() const& { return error_.value(); }
    [[nodiscard]] Error&& error() && { return std::move(error_).value(); }

private:
    std::optional<Error> error_;
};

}  // namespace promotiond::sdk::inline v1

#endif
