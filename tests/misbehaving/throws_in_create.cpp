// Lets an exception out of create.
#include <stdexcept>

#include "zoo.h"

namespace {

promotiond_outcome create(const promotiond_host*, const promotiond_call*, promotiond_view,
                          promotiond_strategy**) {
    throw std::runtime_error("from create");
}

}  // namespace

extern "C" {
ZOO_PLUGIN("throws-in-create", &create);
}
