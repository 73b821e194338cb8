// Any bytes as the body of a hook, of whatever sender: what it tells, or an error for people.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "http/hooks.hpp"
#include "http/registry_payloads.hpp"
#include "http/releases.hpp"
#include "model/text_check.hpp"

namespace {

template <class T>
void check(const promotiond::Result<T>& read) {
    if (read) return;
    const std::string& message = read.error().message;
    if (message.empty() || promotiond::model::first_invalid_utf8(message)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace promotiond::http;
    const std::string body(reinterpret_cast<const char*>(bytes), size);
    const auto tags = read_registry_hook(body);
    check(tags);
    if (tags) {
        for (const auto& each : *tags) {
            if (each.image.empty() || each.tag.empty()) std::abort();
            if (each.tag.find(':') != std::string::npos) std::abort();
        }
    }
    const auto dispatched = dispatched_release(body);
    check(dispatched);
    if (dispatched && *dispatched && !promotiond::model::check_release(**dispatched)) std::abort();
    const auto told = release_from(body);
    check(told);
    if (told && !promotiond::model::check_release(*told)) std::abort();
    check(read_azure_hook(body));
    for (const char* event : {"", "status", "check_run", "check_suite"})
        check(read_github_hook(event, body));
    return 0;
}
