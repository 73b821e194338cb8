// Throws out of the sink that receives a secret, through the host's own frames.
#include <promotiond/ext/secrets.h>

#include <stdexcept>

#include "zoo.h"

namespace {

const promotiond_host* the_host = nullptr;

promotiond_outcome promote(promotiond_strategy*, const promotiond_call* call,
                           const promotiond_request*) {
    const auto* secrets = static_cast<const promotiond_secrets*>(
        the_host->get_service(the_host, ZOO_TEXT(PROMOTIOND_EXT_SECRETS)));
    const auto status = secrets->get(
        call, ZOO_TEXT("forge"), ZOO_TEXT("token"),
        [](void*, promotiond_view) { throw std::runtime_error("from sink"); }, nullptr);
    return status == PROMOTIOND_SECRET_OK ? PROMOTIOND_DONE : PROMOTIOND_RETRY;
}

promotiond_strategy instance{sizeof(instance),  0,           nullptr, &promote,
                             &zoo_no_extension, &zoo_destroy};

promotiond_outcome create(const promotiond_host* host, const promotiond_call*, promotiond_view,
                          promotiond_strategy** out) {
    the_host = host;
    *out = &instance;
    return PROMOTIOND_DONE;
}

}  // namespace

extern "C" {
ZOO_PLUGIN("throws-in-sink", &create);
}
