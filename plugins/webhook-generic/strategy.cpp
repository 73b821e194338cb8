// The entry of the library: which key it serves and the class that does.
#include "webhook.hpp"
#include "webhook_config_schema.hpp"

using promotiond::webhook::Webhook;

PROMOTIOND_STRATEGY(Webhook, {.name = "webhook-generic",
                              .key = "webhook",
                              .version = "0.1.0",
                              .summary = "Delivers a promotion as one signed HTTP request",
                              .schema = kConfigSchema});
