// Any bytes as the body of an event: an Event or an error, and what was read reads back the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/codec.hpp"
#include "model/text_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace promotiond::model;
    const auto event = event_from_json({reinterpret_cast<const char*>(bytes), size});
    if (!event) {
        if (event.error().message.empty() || first_invalid_utf8(event.error().message))
            std::abort();
        return 0;
    }
    if (event->revision.empty() || event->revision.size() > 512) std::abort();
    if (deceiving_character(event->revision) || deceiving_character(event->object.name))
        std::abort();
    const std::string text = event_to_json(*event);
    const auto again = event_from_json(text);
    if (!again || event_to_json(*again) != text) std::abort();
    return 0;
}
