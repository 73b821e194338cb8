// The entry of the library: which key it serves and the class that does.
#include "notification.hpp"
#include "notification_config_schema.hpp"

using promotiond::notification::Notification;

PROMOTIOND_STRATEGY(Notification, {.name = "notification-flux",
                                   .key = "notification",
                                   .version = "0.1.0",
                                   .summary = "Tells Flux's notification-controller to tell others",
                                   .schema = kConfigSchema});
