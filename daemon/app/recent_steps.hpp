// The newest steps in the journal: those that the process before may have written and not told any
// more.
#pragma once

#include "journal/journal.hpp"
#include "platform/kubernetes_report.hpp"

namespace promotiond::app {

// Of the last ten minutes, oldest first; API servers keep Events for an hour (--event-ttl), and
// with them the memory of what was told. A journal that cannot be read gives none: Events are for
// people.
[[nodiscard]] platform::KubernetesReport::Steps recent_steps(const journal::Journal& journal,
                                                             WallTime now);

}  // namespace promotiond::app
